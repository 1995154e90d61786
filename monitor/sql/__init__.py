"""SQL as text and as trees: parsed, fingerprinted, classified, cut into lexemes; nothing here runs it."""
