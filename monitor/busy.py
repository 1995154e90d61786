"""Whether a server has more work than hands: a rule of thumb, asked of the server itself at the moment it matters."""

from __future__ import annotations

from monitor.measurement import number
from monitor.probe import Session

# A server does not tell how many CPUs it has. max_parallel_workers is the one setting by which its owner says how many
# processes should compute side by side (by default 8; managed services set it by the machine's size); below 4 it says
# that parallel plans are not wanted. At work is who computes, or waits for the disk or an internal lock; who waits for
# another transaction or for its client takes nothing.
AT_WORK = """
    select pg_catalog.count(*)::int as sessions,
           greatest(current_setting('max_parallel_workers')::int, 4) as hands
      from pg_catalog.pg_stat_get_activity(null) a
     where a.state = 'active'
       and a.pid <> pg_catalog.pg_backend_pid()
       and a.backend_type in ('client backend', 'parallel worker')
       and (a.wait_event_type is null or a.wait_event_type in ('IO', 'LWLock', 'BufferPin'))
"""


async def busy(session: Session) -> str:
    """Tell why a server is best left alone; "": it is not, or our role does not see what others do.

    Raises as the session does.
    """
    (row,) = await session.fetch(AT_WORK)
    sessions, hands = number(row, "sessions"), number(row, "hands")
    if sessions <= hands:
        return ""
    return f"the server is busy: {sessions:.0f} sessions are at work, its max_parallel_workers speaks of {hands:.0f}"
