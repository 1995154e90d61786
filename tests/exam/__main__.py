"""The exam's command: `python -m tests.exam serve|prove|grade|run|follow`; README.md beside it says what each does."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.exam import advising, carrying, grading, proving, world
from tests.exam.grade import Grade
from tests.exam.model import Exam
from tests.exam.worlds import WORLDS
from tests.versions import NEWEST


def say(line: str) -> None:
    """Tell on stderr what is being done."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


@asynccontextmanager
async def ready(options: argparse.Namespace) -> AsyncIterator[str]:
    """A database that was worked on; the one at --dsn, or a fresh one."""
    if options.dsn:
        yield options.dsn
        return
    async with world.server(options.major) as running:
        say("filling")
        place = WORLDS[options.world]
        dsn = await place.load(running, options.scale)
        await place.work(dsn, say)
        yield dsn


async def serve(options: argparse.Namespace) -> int:
    """Keep a database for `monitor advise`, until Ctrl-C."""
    async with ready(options) as dsn:
        say("")
        print(f"superuser (for grade): {dsn}\nmonitor (for advise):  {await advising.monitors(dsn)}", flush=True)
        await asyncio.Event().wait()
    return 0


async def prove(options: argparse.Namespace) -> int:
    failed = 0
    async with ready(options) as dsn:
        print(proving.HEAD)
        async for proof in proving.proofs(dsn, exam_of(options), options.only, say):
            failed += not proof.holds
            print(proof.line(), flush=True)
    print(f"\n{failed} not proved" if failed else "\nall proved")
    return int(failed > 0)


async def grade(options: argparse.Namespace) -> int:
    """Grade a report on the database it was made of."""
    report = json.loads(Path(options.json).read_text(encoding="utf-8"))
    async with ready(options) as dsn:
        return told(await grading.graded(dsn, report, build=options.build, aged=options.aged, exam=exam_of(options)))


async def run(options: argparse.Namespace) -> int:
    """Ask `monitor advise` and grade what it says."""
    async with ready(options) as dsn:
        say("monitor advise")
        report = await advising.advice(dsn, aged=options.aged)
        if options.json:
            Path(options.json).write_text(json.dumps(report, indent=1), encoding="utf-8")
        exam = exam_of(options)
        return told(await grading.graded(dsn, report, build=options.build, aged=options.aged, exam=exam))


async def follow(options: argparse.Namespace) -> int:
    """Build all that is advised, time the statements before and after, and ask again."""
    async with world.server(options.major) as running:
        done = await carrying.followed(WORLDS[options.world], running, options.scale, say)
    say("")
    print(f"{options.world} on PostgreSQL {options.major}\n{done.text()}")
    return 0 if done.holds else 1


def exam_of(options: argparse.Namespace) -> Exam:
    return WORLDS[options.world].exam


def told(grade: Grade) -> int:
    say("")
    print(grade.text())
    return 0 if grade.passed else 1


def parser() -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser(prog="python -m tests.exam", description=__doc__)
    commands.add_argument("command", choices=["serve", "prove", "grade", "run", "follow"])
    commands.add_argument("--dsn", default=os.environ.get("EXAM_DSN"), help="superuser's DSN of what `serve` made")
    commands.add_argument("--world", choices=[*WORLDS], default=world.EXAM.name, help="which database")
    commands.add_argument("--scale", type=float, default=1.0, help="share of the rows: 1 or 0.25")
    commands.add_argument("--major", type=int, default=NEWEST, help="PostgreSQL's version")
    commands.add_argument("--json", help="the report: to grade, or where `run` puts it")
    commands.add_argument("--build", action="store_true", help="build what is neither right nor wrong, and time it")
    commands.add_argument(
        "--aged", action="store_true", help="indexes nobody uses count too (index.unused: {min_age: 0})"
    )
    commands.add_argument("--only", default="", help="prove: tables whose name holds this")
    return commands


def main() -> int:
    options = parser().parse_args()
    command = {"serve": serve, "prove": prove, "grade": grade, "run": run, "follow": follow}[options.command]
    try:
        return asyncio.run(command(options))
    except advising.AdviceError as failure:
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
