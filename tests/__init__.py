"""The tests: real servers, no mocks; a package so that its helpers can be imported by name."""
