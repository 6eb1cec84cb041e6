//! A store on a fresh database, with people and things in it.

use domain::account::{Me, Role};
use domain::document::{ErrorPolicy, ListRef, Place, Step};
use domain::draft::{DraftState, Save, SaveOutcome};
use domain::edit::Edit;
use domain::integration::VersionSummary;
use domain::review::{Policy, Review, Rule, Verdict};
use domain::{Document, DraftId, IntegrationId, ReviewId, StepId};
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;
use store::{Error, HookRoute, MasterKey, NewOrganization, Refusal, Store};
use uuid::Uuid;

/// A password that may be used.
pub(crate) const PASSWORD: &str = "three words in a row";

/// A store, a way past it, and the Admin of an organization.
pub(crate) struct World {
    pub(crate) store: Store,
    /// Sees all organizations; to move clocks and to look at rows.
    pub(crate) sql: PgPool,
    pub(crate) admin: Me,
    options: PgConnectOptions,
}

impl World {
    /// Returns an organization whose policy asks for no approval.
    pub(crate) async fn new(options: PgConnectOptions) -> Self {
        let store = connect(&options).await;
        let system = options.clone().options([("sluice.scope", "system")]);
        let sql = PgPoolOptions::new()
            .max_connections(2)
            .connect_with(system)
            .await;
        let admin = organization(&store, "Demo Workshop", "admin@example.com").await;
        let world = Self {
            store,
            sql: sql.expect("the database answers"),
            admin,
            options,
        };
        let free = Policy {
            approvals: 0,
            ..Policy::default()
        };
        // Past the store, so that nothing is noted.
        sqlx::query("insert into review_policy (organization_id, policy) values ($1, $2)")
            .bind(world.admin.organization.0)
            .bind(json!(free))
            .execute(&world.sql)
            .await
            .expect("it answers");
        world
    }

    /// Returns an organization with the policy that organizations begin with.
    pub(crate) async fn reviewing(options: PgConnectOptions) -> Self {
        let world = Self::new(options).await;
        world.execute("delete from review_policy").await;
        world
    }

    /// Sets what the policy of the organization has other than the one it began with.
    pub(crate) async fn policy(&self, change: impl FnOnce(&mut Policy)) {
        let mut policy = Policy::default();
        change(&mut policy);
        let set = self.store.set_policy(&self.admin, None, Some(policy)).await;
        set.expect("an Admin sets it");
    }

    /// Returns a draft by the Admin, with its review; nobody is asked by name.
    pub(crate) async fn review(&self) -> (DraftId, ReviewId) {
        let (_, draft) = self.draft_of(clean("webhook")).await;
        (draft, self.ask(draft, &[]).await)
    }

    /// Asks for a review of a draft, as the Admin.
    pub(crate) async fn ask(&self, draft: DraftId, reviewers: &[&Me]) -> ReviewId {
        let reviewers: Vec<_> = reviewers.iter().map(|reviewer| reviewer.account).collect();
        let asked = self
            .store
            .create_review(&self.admin, draft, "Look at this", "", &reviewers)
            .await;
        asked.expect("an Admin asks")
    }

    /// Gives a verdict on a revision.
    pub(crate) async fn submit(
        &self,
        me: &Me,
        review: ReviewId,
        revision: u32,
        verdict: Verdict,
    ) -> Result<(), Error> {
        self.store
            .submit_review(me, review, revision, verdict, "Because.")
            .await
    }

    /// Returns the page of a review as the Admin sees it.
    pub(crate) async fn page(&self, review: ReviewId) -> Review {
        let page = self.store.review(&self.admin, review, None).await;
        page.expect("it is there")
    }

    /// Returns what the draft under review contains.
    pub(crate) async fn content(&self, review: ReviewId) -> Document {
        let documents = self.page(review).await.documents;
        documents.expect("the Admin knows none").draft
    }

    /// Publishes a draft as the Admin, without a reason.
    pub(crate) async fn publish_reviewed(
        &self,
        draft: DraftId,
        revision: u32,
    ) -> Result<VersionSummary, Error> {
        self.store
            .publish(&self.admin, draft, revision, String::new(), None)
            .await
    }

    /// Returns where a draft stands.
    pub(crate) async fn state(&self, draft: DraftId) -> DraftState {
        let draft = self.store.draft(&self.admin, draft).await;
        draft.expect("it is there").summary.state
    }

    /// Closes all connections, so that the database can be dropped.
    pub(crate) async fn end(self) {
        self.sql.close().await;
        self.store.close().await;
    }

    /// Returns a store as another process has one.
    pub(crate) async fn other_process(&self) -> Store {
        connect(&self.options).await
    }

    /// Returns how to connect without any organization.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.options.clone()
    }

    /// Returns the Admin of another organization.
    pub(crate) async fn outsider(&self) -> Me {
        organization(&self.store, "Demo Rivals", "outsider@example.com").await
    }

    /// Returns the Admin of another organization, whose policy asks for no approval either.
    pub(crate) async fn free_outsider(&self) -> Me {
        let outsider = self.outsider().await;
        let copied = sqlx::query(
            "insert into review_policy (organization_id, policy)
             select $1, policy from review_policy where organization_id = $2",
        );
        let copied = copied
            .bind(outsider.organization.0)
            .bind(self.admin.organization.0)
            .execute(&self.sql);
        copied.await.expect("it answers");
        outsider
    }

    /// Publishes a new integration of whatever organization.
    pub(crate) async fn publish_as(&self, me: &Me, document: Document) -> IntegrationId {
        let draft = self
            .store
            .create_integration(me, "Theirs", "First", document)
            .await;
        let draft = draft.expect("an Admin creates");
        let created = self.store.draft(me, draft).await.expect("it is there");
        let published = self.store.publish(me, draft, 1, String::new(), None);
        published.await.expect("the draft is clean");
        created.integration
    }

    /// Returns a new member with a role.
    pub(crate) async fn member(&self, role: Role) -> Me {
        let email = format!("{}-{}@example.com", role.key(), Uuid::now_v7().simple());
        let (_, token) = self
            .store
            .invite(&self.admin, role)
            .await
            .expect("an Admin invites");
        let session = self
            .store
            .accept_invitation(&token, role.title(), &email, PASSWORD)
            .await;
        let session = session.expect("the invitation is new");
        self.store
            .who(&session)
            .await
            .expect("the database answers")
            .expect("just signed in")
    }

    /// Creates an integration with a draft of this document.
    pub(crate) async fn draft_of(&self, document: Document) -> (IntegrationId, DraftId) {
        let draft = self
            .store
            .create_integration(&self.admin, "Orders", "First", document)
            .await;
        let draft = draft.expect("an Admin creates");
        let integration = self
            .store
            .draft(&self.admin, draft)
            .await
            .expect("it is there");
        (integration.integration, draft)
    }

    /// Publishes a new integration with this document.
    pub(crate) async fn publish(&self, document: Document) -> IntegrationId {
        let (integration, draft) = self.draft_of(document).await;
        self.publish_draft(draft, 1).await;
        integration
    }

    pub(crate) async fn publish_draft(&self, draft: DraftId, revision: u32) -> u32 {
        let published = self
            .store
            .publish(&self.admin, draft, revision, String::new(), None)
            .await;
        published.expect("the draft is clean").number
    }

    /// Returns the route of a new integration with a webhook.
    pub(crate) async fn hook(&self) -> (IntegrationId, Arc<HookRoute>) {
        let integration = self.publish(clean("webhook")).await;
        (integration, self.route(integration).await)
    }

    pub(crate) async fn route(&self, integration: IntegrationId) -> Arc<HookRoute> {
        let token = self.hook_token(integration).await;
        let route = self
            .store
            .hook_route(&token)
            .await
            .expect("the database answers");
        route.expect("a webhook is live")
    }

    pub(crate) async fn hook_token(&self, integration: IntegrationId) -> String {
        let detail = self
            .store
            .integration(&self.admin, integration)
            .await
            .expect("it is there");
        let path = detail.webhook_path.expect("a webhook is live");
        path.strip_prefix("/hooks/")
            .expect("the path of webhooks")
            .to_owned()
    }

    /// Saves a new title for a step as one edit.
    pub(crate) async fn save(&self, draft: DraftId, expected: u32) -> Result<SaveOutcome, Error> {
        self.store
            .save_draft(&self.admin, draft, save(expected))
            .await
    }

    /// Returns the acts that were noted, oldest first.
    pub(crate) async fn audit(&self) -> Vec<String> {
        let acts =
            sqlx::query_scalar("select act from audit where organization_id = $1 order by 1");
        acts.bind(self.admin.organization.0)
            .fetch_all(&self.sql)
            .await
            .expect("it answers")
    }

    /// Runs a statement past the store and returns how many rows it touched.
    pub(crate) async fn execute(&self, statement: &'static str) -> u64 {
        let done = sqlx::query(statement).execute(&self.sql).await;
        done.expect("the statement is right").rows_affected()
    }

    /// Returns the store of another process on the same database.
    pub(crate) async fn process(&self) -> Store {
        connect(&self.options).await
    }

    /// Waits until a connection to this database waits for a lock.
    pub(crate) async fn someone_waits(&self) {
        let waiting = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database()";
        while self.count(waiting).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// Lets Postgres find the rows damaged that have this id in this column, whenever they are read.
    pub(crate) async fn damage(&self, table: &str, column: &str, id: Uuid) {
        let damage = format!(
            "create table if not exists damaged (id uuid);
             create or replace function is_whole(wanted uuid) returns boolean
             language plpgsql as $whole$
             begin
                 if exists (select from damaged where id = wanted) then
                     raise exception 'missing chunk number 0 for toast value'
                         using errcode = 'XX001';
                 end if;
                 return true;
             end
             $whole$;
             drop policy if exists damage on {table};
             create policy damage on {table} as restrictive for select
                 using (is_whole({column}));
             insert into damaged values ('{id}')"
        );
        let done = sqlx::raw_sql(AssertSqlSafe(damage))
            .execute(&self.sql)
            .await;
        done.expect("the statements are right");
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        let count = sqlx::query_scalar(query).fetch_one(&self.sql).await;
        count.expect("the query is right")
    }
}

async fn connect(options: &PgConnectOptions) -> Store {
    let store = Store::connect_with(options.clone(), 10)
        .await
        .expect("the database answers");
    // The same for all processes of a test.
    store.unlock(MasterKey::read(&"5a".repeat(32)).expect("it is a key"));
    store
}

async fn organization(store: &Store, name: &str, email: &str) -> Me {
    let new = NewOrganization {
        name: name.to_owned(),
        is_demo: true,
        admin_name: "An Admin".to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
    };
    store
        .create_organization(new)
        .await
        .expect("the texts can be taken")
}

/// Returns a document with one step that has no problems.
pub(crate) fn clean(trigger: &str) -> Document {
    let mut document = Document::new(trigger);
    let step = log_step("Note it", "note_it");
    document.flow.push(step.id);
    document.steps.insert(step.id, step);
    document
}

/// Returns a document that fires each minute.
pub(crate) fn each_minute() -> Document {
    let mut document = clean("schedule");
    document
        .trigger
        .config
        .insert("cron".to_owned(), json!("* * * * *"));
    document
        .trigger
        .config
        .insert("time_zone".to_owned(), json!("UTC"));
    document
}

pub(crate) fn log_step(name: &str, slug: &str) -> Step {
    let mut config = Map::new();
    config.insert("message".to_owned(), Value::String("It came.".to_owned()));
    Step {
        id: StepId(Uuid::now_v7()),
        name: name.to_owned(),
        slug: slug.to_owned(),
        kind: "log".to_owned(),
        action: None,
        config,
        on_error: ErrorPolicy::default(),
        notes: String::new(),
        lanes: Vec::new(),
    }
}

/// Returns a save that puts a step first.
pub(crate) fn save(expected: u32) -> Save {
    let id = Uuid::now_v7();
    let step = log_step("Another", &format!("s{}", id.simple()));
    let at = Place {
        list: ListRef::Flow,
        index: 0,
    };
    Save {
        id,
        expected,
        edits: vec![Edit::Insert {
            steps: vec![step],
            at,
        }],
    }
}

/// Returns a save of other edits.
pub(crate) fn save_of(expected: u32, edits: Vec<Edit>) -> Save {
    let id = Uuid::now_v7();
    Save {
        id,
        expected,
        edits,
    }
}

/// Returns what was refused.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("it was not refused: {other:?}"),
    }
}

/// Returns the rules that keep something from being published.
#[track_caller]
pub(crate) fn unmet(refusal: Refusal) -> Vec<Rule> {
    match refusal {
        Refusal::Review(domain::review::Refusal::Unmet(checks)) => {
            checks.into_iter().map(|check| check.rule).collect()
        }
        other => panic!("the rules are met: {other:?}"),
    }
}

/// Returns what a review refused.
#[track_caller]
pub(crate) fn review_refusal<T: std::fmt::Debug>(
    result: Result<T, Error>,
) -> domain::review::Refusal {
    match refusal(result) {
        Refusal::Review(refusal) => refusal,
        other => panic!("something else refused: {other:?}"),
    }
}

/// Asserts that the role does not allow it.
#[track_caller]
pub(crate) fn assert_denied<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(
        matches!(result, Err(Error::Refused(Refusal::Denied(_)))),
        "{result:?}"
    );
}

/// Asserts that there is no such thing.
#[track_caller]
pub(crate) fn assert_not_found<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert!(
        matches!(result, Err(Error::NotFound)),
        "it was found: {result:?}"
    );
}
