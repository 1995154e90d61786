"""The service: which indexes are right for its statements, which are not, and which should go."""

from tests.exam.model import Drop, Keep, Match, Right, School, Wrong, btree, gin
from tests.exam.saas_work import ACTIVITY, READS, TASKS, WRITES

CREATED, ASSIGNED = btree("created_by"), btree("assignee_id")
NUMBER, LINE = btree("number"), btree("invoice_id")

RIGHTS = (
    Right(
        table="saas.members",
        answers=(btree("user_id"), btree("user_id", "tenant_id")),
        shape="tenants of a member",
    ),
    Right(table=TASKS, answers=(btree("project_id", "position"),), shape="tasks of a project"),
    Right(
        table="saas.projects",
        answers=(
            btree("tenant_id"),
            btree("tenant_id", "name"),
            btree("tenant_id", "archived"),
            btree("tenant_id", "archived", "name"),
            btree("tenant_id", where="not archived"),
            btree("tenant_id", "name", where="not archived"),
        ),
        shape="projects of a tenant",
    ),
    Right(table=TASKS, answers=(CREATED,), shape="tasks of a person", beside=((TASKS, ASSIGNED),)),
    Right(
        table=TASKS,
        answers=(ASSIGNED, btree("assignee_id", where="assignee_id is not null")),
        shape="tasks of a person",
        beside=((TASKS, CREATED),),
    ),
    Right(
        table=TASKS,
        answers=(
            btree("due_on", where="due_on is not null"),
            btree("due_on"),
        ),
        shape="tasks due",
    ),
    Right(table=TASKS, answers=(gin("labels"),), shape="tasks with a label"),
    Right(table=TASKS, answers=(btree("(custom ->> 'external_id')"),), shape="task of another system"),
    Right(
        table=ACTIVITY,
        answers=(btree("tenant_id", "created_at"),),
        shape="newest activity of a tenant",
    ),
    Right(
        table=ACTIVITY,
        answers=(btree("actor_id"), btree("actor_id", "created_at")),
        shape="activity of a person",
    ),
    Right(table="saas.attachments", answers=(btree("task_id"),), shape="a task removed"),
    Right(
        table="saas.invoices",
        answers=(NUMBER,),
        shape="invoice with its lines",
        beside=(("saas.invoice_lines", LINE),),
    ),
    Right(
        table="saas.invoice_lines",
        answers=(LINE,),
        shape="invoice with its lines",
        beside=(("saas.invoices", NUMBER),),
    ),
)

WRONGS = (
    Wrong(
        table="saas.activity_5",
        index=btree("tenant_id", "created_at"),
        given=((ACTIVITY, btree("tenant_id", "created_at")),),
        match=Match.TABLE,
        why="one on the parent makes one on each partition",
    ),
    Wrong(
        table=ACTIVITY,
        index=btree("tenant_id"),
        given=((ACTIVITY, btree("tenant_id", "created_at")),),
        why="the one on (tenant_id, created_at) serves it",
    ),
    Wrong(
        table=TASKS,
        index=btree("project_id"),
        given=((TASKS, btree("project_id", "position")),),
        why="the one on (project_id, position) serves it",
    ),
    Wrong(table=TASKS, index=btree("state"), match=Match.LEADING, why="more than half of the rows"),
    Wrong(
        table="saas.comments",
        index=btree("task_id", "created_at"),
        match=Match.LEADING,
        why="the index on (task_id) leaves one row to sort",
    ),
    Wrong(table="saas.members", index=btree("tenant_id"), match=Match.EXACT, why="the primary key begins with it"),
    Wrong(
        table="saas.feature_flags",
        index=btree("tenant_id", "key"),
        match=Match.TABLE,
        why="the table is one page",
    ),
    Wrong(table="saas.notes", index=btree("about"), match=Match.TABLE, why="another schema's notes are asked so"),
    Wrong(table="saas.jobs", index=btree("state"), match=Match.LEADING, why="two updates a job, asked twice"),
    Wrong(
        table="saas.presence",
        index=btree("last_seen"),
        match=Match.HOLDS,
        why="each sign of life would write to all indexes",
    ),
    Wrong(table="saas.api_tokens", index=btree("digest"), match=Match.TABLE, why="the hash index serves it"),
    Wrong(table="saas.tenants", index=btree("slug"), match=Match.TABLE, why="the unique constraint serves it"),
    Wrong(table="auth.users", index=btree("last_sign_in_at"), match=Match.TABLE, why="not ours, and well served"),
    Wrong(table="auth.sessions", index=btree("not_after"), match=Match.TABLE, why="not ours, and well served"),
)

DROPS = (
    Drop(any_of=("saas.comments_author", "saas.comments_author_created"), why="one of them serves"),
    Drop(any_of=("saas.projects_settings",), why="nobody asks by settings", aged=True),
)

KEEPS = (
    Keep(name="saas.activity_request", why="scanned on the newest partition only; its parts cannot go by themselves"),
    Keep(name="saas.jobs_pending", why="the same column as the primary key, but of the few that wait"),
    Keep(name="saas.comments_task", why="the foreign key and a statement need it"),
)

SAAS = School(name="saas", shapes=READS + WRITES, rights=RIGHTS, wrongs=WRONGS, drops=DROPS, keeps=KEEPS)
