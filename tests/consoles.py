"""A console that speaks PostgreSQL's protocol and says what it is told: for versions of PgBouncer that are not here."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain

Table = tuple[Sequence[tuple[str, int]], Sequence[Sequence[object]]]
"""Columns with their types, and the rows."""

TEXT, INT4, INT8, NUMERIC = 25, 23, 20, 1700
SSL_REQUEST = 80877103
READY = b"Z\x00\x00\x00\x05I"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def described(columns: Sequence[tuple[str, int]]) -> bytes:
    fields = (name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, kind, -1, -1, 0) for name, kind in columns)
    return message(b"T", struct.pack("!h", len(columns)) + b"".join(fields))


def data(row: Sequence[object]) -> bytes:
    texts = (None if value is None else str(value).encode() for value in row)
    values = (struct.pack("!i", -1) if text is None else struct.pack("!i", len(text)) + text for text in texts)
    return message(b"D", struct.pack("!h", len(row)) + b"".join(values))


def answer(table: Table | None) -> bytes:
    if table is None:
        return message(b"E", b"SERROR\0C08P01\0Minvalid command\0\0") + READY
    columns, rows = table
    return b"".join(chain([described(columns)], map(data, rows), [message(b"C", b"SHOW\0"), READY]))


@asynccontextmanager
async def saying(tables: Mapping[str, Table]) -> AsyncIterator[str]:
    """Serve these answers by command; gives the DSN. What is not among them is refused, as PgBouncer does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await greeted(reader, writer)
            while (await reader.readexactly(1)) == b"Q":
                (length,) = struct.unpack("!i", await reader.readexactly(4))
                command = (await reader.readexactly(length - 4)).rstrip(b"\0").decode()
                writer.write(answer(tables.get(command)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"postgresql://eye@127.0.0.1:{server.sockets[0].getsockname()[1]}/pgbouncer"


async def greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let anybody in."""
    while True:
        length, code = struct.unpack("!ii", await reader.readexactly(8))
        if code != SSL_REQUEST:
            break
        writer.write(b"N")
    await reader.readexactly(length - 8)
    encoding = message(b"S", b"client_encoding\0UTF8\0")
    writer.write(message(b"R", struct.pack("!i", 0)) + encoding + READY)
    await writer.drain()
