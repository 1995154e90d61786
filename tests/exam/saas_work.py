"""The service at work: its statements."""

from tests.exam.model import Shape

TASKS, ACTIVITY = "saas.tasks", "saas.activity"
SOMEBODY = "select md5('user' || i)::uuid as id from generate_series(1, 40) i"
ME = "(select user_id from saas.members where tenant_id = 7 order by user_id limit 1)"
MINE = f"select id from saas.projects where tenant_id in (select tenant_id from saas.members where user_id = {ME})"

READS = (
    Shape(
        name="tasks of a project",
        tables=(TASKS,),
        sql="select id, title from saas.tasks where project_id = $1 order by position limit 20",
        values=f"{MINE} and id <= 300 order by id limit 40",
        role="saas_app",
        setting=("saas.me", f"select {ME}::text"),
        calls=60,
    ),
    Shape(
        name="tenants of a member",
        tables=("saas.members",),
        sql="""select t.id, t.slug, m.role
                 from saas.members m join saas.tenants t on t.id = m.tenant_id where m.user_id = $1""",
        values=SOMEBODY,
        calls=1000,
    ),
    Shape(
        name="projects of a tenant",
        tables=("saas.projects",),
        sql="select id, name from saas.projects where tenant_id = $1 and not archived order by name",
        values="select i from generate_series(1, 200) i",
        calls=100,
    ),
    Shape(
        name="tasks of a person",
        tables=(TASKS,),
        sql="select id, title from saas.tasks where created_by = $1 or assignee_id = $1",
        values=SOMEBODY,
        calls=40,
    ),
    Shape(
        name="tasks due",
        tables=(TASKS,),
        sql="select id, title, due_on from saas.tasks where due_on between $1 and $2",
        values="select current_date + i, current_date + i + 2 from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="tasks with a label",
        tables=(TASKS,),
        sql="select id, title from saas.tasks where labels @> $1",
        values="select array['label ' || i] from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="task of another system",
        tables=(TASKS,),
        sql="select id, title from saas.tasks where custom ->> 'external_id' = $1",
        values="select 'ext-' || i * 31 from generate_series(1, 30) i",
        calls=30,
    ),
    Shape(
        name="titles of done tasks",
        tables=(TASKS,),
        sql="select max(length(title)), min(title) from saas.tasks where state = $1",
        values="select 'done'",
        calls=10,
    ),
    Shape(
        name="newest activity of a tenant",
        tables=(ACTIVITY,),
        sql="select id, action, created_at from saas.activity where tenant_id = $1 order by created_at desc limit 50",
        values="select i from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="activity of a person",
        tables=(ACTIVITY,),
        sql="select id, action from saas.activity where actor_id = $1 and created_at >= $2",
        values="select md5('user' || i)::uuid, timestamptz '2026-03-01 00:00+00' from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="activity of a request",
        tables=(ACTIVITY,),
        sql="""select id, action from saas.activity
                where request_id = $1 and created_at >= timestamptz '2026-06-01 00:00+00'""",
        values="select request_id from saas.activity where created_at >= '2026-06-01 00:00+00' order by id limit 50",
        calls=100,
    ),
    Shape(
        name="invoice with its lines",
        tables=("saas.invoices", "saas.invoice_lines"),
        sql="""select i.id, i.issued_on, l.text, l.amount
                 from saas.invoices i join saas.invoice_lines l on l.invoice_id = i.id where i.number = $1""",
        values="select 'INV-' || md5(i::text) from generate_series(1, 40) i",
        calls=40,
    ),
    Shape(
        name="comments of a task",
        tables=("saas.comments",),
        sql="select author_id, body from saas.comments where task_id = $1 order by created_at",
        values="select id from saas.tasks order by id limit 300",
        calls=300,
    ),
    Shape(
        name="comments of an author",
        tables=("saas.comments",),
        sql="select task_id, body from saas.comments where author_id = $1",
        values=SOMEBODY,
        calls=200,
    ),
    Shape(
        name="members of a tenant",
        tables=("saas.members",),
        sql="select u.email, m.role from saas.members m join auth.users u on u.id = m.user_id where m.tenant_id = $1",
        values="select i from generate_series(1, 50) i",
        calls=50,
    ),
    Shape(
        name="a tenant's flag",
        tables=("saas.feature_flags",),
        sql="select enabled from saas.feature_flags where tenant_id = $1 and key = $2",
        values="select i, 'flag' from generate_series(1, 100) i",
        calls=1000,
    ),
    Shape(
        name="tenant by slug",
        tables=("saas.tenants",),
        sql="select id, plan from saas.tenants where slug = $1",
        values="select slug from saas.tenants",
        calls=500,
    ),
    Shape(
        name="token",
        tables=("saas.api_tokens",),
        sql="select id, tenant_id from saas.api_tokens where digest = $1",
        values="select digest from saas.api_tokens order by id limit 300",
        calls=300,
    ),
    Shape(
        name="account by e-mail",
        tables=("auth.users",),
        sql="select id, raw_user_meta_data from auth.users where email = $1",
        values="select email from auth.users order by id limit 300",
        calls=300,
    ),
    Shape(
        name="sessions of an account",
        tables=("auth.sessions",),
        sql="select id, not_after from auth.sessions where user_id = $1",
        values=SOMEBODY,
        calls=300,
    ),
    Shape(
        name="next jobs",
        tables=("saas.jobs",),
        sql="select id, payload from saas.jobs where state = 'pending' order by id limit 10",
        calls=500,
    ),
    Shape(
        name="failed jobs",
        tables=("saas.jobs",),
        sql="select count(*), min(payload::text) from saas.jobs where state = 'failed'",
        calls=2,
    ),
    Shape(
        name="people long away",
        tables=("saas.presence",),
        sql="select count(*), min(device) from saas.presence where last_seen < now() - $1::interval",
        values="select interval '29 days'",
        calls=2,
    ),
    Shape(
        name="note by key",
        tables=("saas.notes",),
        sql="select about, body from saas.notes where id = $1",
        values="select id from saas.notes order by id limit 300",
        calls=300,
    ),
)

WRITES = (
    Shape(
        name="a task",
        tables=(TASKS,),
        sql="""insert into saas.tasks (tenant_id, project_id, created_by, state, title, position, labels, custom)
               values (1 + $1 % 200, $1, $2, 'open', 'A new task', $3, array['label 1'], '{"points": 1}')""",
        values="select 1 + i % 300, md5('user' || i)::uuid, i from generate_series(1, 500) i",
        calls=500,
    ),
    Shape(
        name="a task removed",
        tables=(TASKS, "saas.attachments", "saas.comments"),
        sql="delete from saas.tasks where id = $1",
        values="select id from saas.tasks order by md5(id::text) limit 40",
        calls=40,
    ),
    Shape(
        name="a comment",
        tables=("saas.comments",),
        sql="insert into saas.comments (task_id, author_id, created_at, body) values ($1, $2, now(), 'A word')",
        values=f"select t.id, s.id from saas.tasks t, ({SOMEBODY}) s where t.id % 500 = 1 and t.id < 30000 limit 1000",
        calls=1000,
    ),
    Shape(
        name="an action",
        tables=(ACTIVITY,),
        sql="""insert into saas.activity (tenant_id, actor_id, request_id, action, created_at)
               values ($1, $2, gen_random_uuid(), 'action 1', timestamptz '2026-06-29 00:00+00')""",
        values="select 1 + i % 200, md5('user' || i)::uuid from generate_series(1, 1000) i",
        calls=2000,
    ),
    Shape(
        name="a job",
        tables=("saas.jobs",),
        sql="insert into saas.jobs (payload) values ($1)",
        values="""select '{"kind": "mail"}'""",
        calls=5000,
    ),
    Shape(
        name="a step of a job",
        tables=("saas.jobs",),
        sql="update saas.jobs set state = $2 where id = $1",
        values="""select id, step.state from saas.jobs, (values (1, 'running'), (2, 'done')) step (place, state)
                   where id <= 5000 order by place, id""",
        calls=20000,
    ),
    Shape(
        name="a sign of life",
        tables=("saas.presence",),
        sql="update saas.presence set last_seen = now() where user_id = $1",
        values="select user_id from saas.presence order by user_id limit 5000",
        calls=20000,
    ),
    Shape(
        name="a sign-in",
        tables=("auth.users",),
        sql="update auth.users set last_sign_in_at = now() where id = $1",
        values="select id from auth.users order by id limit 3000",
        calls=3000,
    ),
)
