//! The connectors of an organization: imported by an Admin, used by whoever edits drafts. A step
//! carries what it was made with, so that nothing here changes what is there.

pub(crate) mod component;
mod ours;
mod source;

use domain::account::Me;
use domain::connector::{
    CONNECTORS, Connector, Declared, Line, Operation, Page, Preview, Refusal, STEP, Shelf, Source,
    Summary, Use, WANTED, compare,
};
use domain::policy::Act;
use domain::{DraftId, IntegrationId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use source::Taken;

use crate::review::standing;
use crate::{Error, Result, Store, Tx, audit, organization, timestamp};

use ours::ours;
pub use source::read as read_connector;

impl Store {
    /// Returns the connectors of the organization, by title.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn connectors(&self, me: &Me) -> Result<Vec<Summary>> {
        let mut tx = self.begin(me, Act::See).await?;
        summaries(&mut tx, me, None).await
    }

    /// Returns the connectors that come with this version of Sluice.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn our_connectors(&self, me: &Me) -> Result<Vec<(String, String, String)>> {
        self.begin(me, Act::ManageConnectors).await?;
        let ours = ours().iter();
        let ours = ours.map(|one| (one.key.clone(), one.title.clone(), one.description.clone()));
        Ok(ours.collect())
    }

    /// Returns what its page shows of a connector.
    ///
    /// # Errors
    /// When there is none of this key.
    pub async fn connector(&self, me: &Me, key: &str) -> Result<Page> {
        let mut tx = self.begin(me, Act::See).await?;
        let summary = summaries(&mut tx, me, Some(key)).await?.pop();
        let summary = summary.ok_or(Error::NotFound)?;
        let kept = kept(&mut tx, me, key).await?.ok_or(Error::NotFound)?;
        drop(tx);
        aside(move || Ok(page(summary, kept.read()?))).await
    }

    /// Returns all connectors with their actions, for choosing one.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn connector_actions(&self, me: &Me) -> Result<Vec<Shelf>> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let rows = sqlx::query!(
            "select connector.key, title, icon, line
             from connector join connector_action using (connector_id)
             where connector.organization_id = $1
             order by lower(title), connector.key, position",
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut shelves: Vec<Shelf> = Vec::new();
        for row in rows {
            if shelves
                .last()
                .is_none_or(|shelf| shelf.connector != row.key)
            {
                shelves.push(Shelf {
                    connector: row.key,
                    title: row.title,
                    icon: row.icon,
                    actions: Vec::new(),
                });
            }
            if let Some(shelf) = shelves.last_mut() {
                shelf.actions.push(read(row.line)?);
            }
        }
        Ok(shelves)
    }

    /// Returns what connectors declare now of some actions, each by key of the connector and of
    /// the action; `None` for those that there are no more.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn declarations(
        &self,
        me: &Me,
        wanted: &[(String, String)],
    ) -> Result<Vec<Option<Declared>>> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        let wanted = &wanted[..wanted.len().min(WANTED)];
        let (connectors, actions): (Vec<String>, Vec<String>) = wanted.iter().cloned().unzip();
        let rows = sqlx::query!(
            r#"select declared as "declared?: Value"
               from unnest($2::text[], $3::text[]) with ordinality as wanted (connector, action, place)
               left join connector on connector.organization_id = $1
                   and connector.key = wanted.connector
               left join connector_action
                   on connector_action.connector_id = connector.connector_id
                   and connector_action.key = wanted.action
               order by place"#,
            me.organization.0,
            &connectors,
            &actions,
        )
        .fetch_all(&mut *tx)
        .await?;
        rows.into_iter()
            .map(|row| row.declared.map(read).transpose())
            .collect()
    }

    /// Returns where actions of a connector are used: what is live, and open drafts.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn connector_uses(&self, me: &Me, key: &str) -> Result<Vec<Use>> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        uses(&mut tx, me, key).await
    }

    /// Returns what would come of an import. `base` takes the place of what all paths begin with,
    /// where a description does not know it.
    ///
    /// # Errors
    /// When the role does not allow it, or nothing can be imported.
    pub async fn preview_connector(
        &self,
        me: &Me,
        source: Source,
        base: Option<String>,
    ) -> Result<Preview> {
        let taken = self.take(me, source, base).await?;
        let mut tx = self.begin(me, Act::ManageConnectors).await?;
        let before = kept(&mut tx, me, &taken.connector.key).await?;
        let uses = match before {
            Some(_) => uses(&mut tx, me, &taken.connector.key).await?,
            None => Vec::new(),
        };
        drop(tx);
        aside(move || preview(taken, before, uses)).await
    }

    /// Imports a connector, in place of the one of its key if there is one. `digest` is that of
    /// the preview. Returns its key.
    ///
    /// # Errors
    /// When the role does not allow it, nothing can be imported, or it is not what was shown.
    pub async fn import_connector(
        &self,
        me: &Me,
        source: Source,
        base: Option<String>,
        digest: &str,
    ) -> Result<String> {
        let taken = self.take(me, source, base).await?;
        let (taken, written) = aside(move || {
            let written = Written::of(&taken.connector)?;
            Ok((taken, written))
        })
        .await?;
        if written.digest != digest {
            return Err(Refusal::Moved.into());
        }
        let connector = &taken.connector;
        let mut tx = self.begin(me, Act::ManageConnectors).await?;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from connector where organization_id = $1 and key <> $2"#,
            me.organization.0,
            connector.key,
        )
        .fetch_one(&mut *tx)
        .await?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= CONNECTORS {
            return Err(Refusal::TooMany.into());
        }
        let id = sqlx::query_scalar!(
            "insert into connector
                (connector_id, organization_id, key, title, description, version, icon, source,
                 digest, content, imported_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::json, $11)
             on conflict (organization_id, key) do update set
                title = excluded.title, description = excluded.description,
                version = excluded.version, icon = excluded.icon, source = excluded.source,
                digest = excluded.digest, content = excluded.content,
                imported_by = excluded.imported_by, imported_at = now()
             returning connector_id",
            Uuid::now_v7(),
            me.organization.0,
            connector.key,
            connector.title,
            connector.description,
            connector.version,
            connector.icon,
            taken.from,
            digest,
            written.content,
            me.account.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        replace_actions(&mut tx, me, id, &written).await?;
        let mut changes = vec![organization::changed(me.organization)];
        if let (Some(module), Some(component)) = (&taken.module, &connector.component)
            && component::keep(&mut tx, me, &component.sha256, module).await?
        {
            changes.extend(standing::settle_problems(&mut tx, me).await?);
        }
        let detail = json!({
            "key": connector.key,
            "version": connector.version,
            "digest": digest,
            "actions": connector.actions.len(),
            "source": taken.from,
            "component": connector.component.as_ref().map(|component| &component.sha256),
        });
        audit::note(&mut tx, me, "connector.import", id, detail).await?;
        self.commit(tx, changes).await?;
        Ok(taken.connector.key)
    }

    /// Deletes a connector. Steps that were made with it stay as they are.
    ///
    /// # Errors
    /// When the role does not allow it, or there is none of this key.
    pub async fn delete_connector(&self, me: &Me, key: &str) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageConnectors).await?;
        let id = sqlx::query_scalar!(
            "delete from connector where organization_id = $1 and key = $2 returning connector_id",
            me.organization.0,
            key,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        audit::note(&mut tx, me, "connector.delete", id, json!({ "key": key })).await?;
        let changes = vec![organization::changed(me.organization)];
        self.commit(tx, changes).await
    }

    /// Reads what is to be imported; asks for it first, where it is an address.
    async fn take(&self, me: &Me, source: Source, base: Option<String>) -> Result<Taken> {
        self.begin(me, Act::ManageConnectors).await?;
        let (text, from, address, module) = match source {
            Source::Text { text, name, module } => {
                let module = match module {
                    Some(module) => Some(aside(move || Ok(component::module(&module)?)).await?),
                    None => None,
                };
                (text, source::file_name(&name), None, module)
            }
            Source::Ours(key) => return source::of_ours(&key).ok_or(Error::NotFound),
            Source::Address(address) => {
                let (network, now) = (self.network(me).await?, self.now().await?);
                let fetched = engine::port::fetch(self.clients(), &network, &address, now).await;
                let text = fetched.map_err(Refusal::Address)?;
                (text, address.clone(), Some(address), None)
            }
        };
        let taken = aside(move || Ok(source::taken(&text, from, address.as_deref(), base)?));
        let taken = taken.await?;
        let (connector, module) = self.inspected(me, taken.connector, module).await?;
        Ok(Taken {
            connector,
            module,
            ..taken
        })
    }
}

/// Does what takes its time with a large connector where no other request waits for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| sqlx::Error::Io(error.into()))?
}

/// A connector as it is kept.
struct Kept {
    content: String,
}

impl Kept {
    fn read(&self) -> Result<Connector> {
        serde_json::from_str(&self.content).map_err(|error| sqlx::Error::decode(error).into())
    }
}

/// What is written of a connector.
struct Written {
    digest: String,
    /// The connector, as JSON.
    content: String,
    /// Of each of its actions: key, line of the list and declaration, the latter two as JSON.
    keys: Vec<String>,
    lines: Vec<String>,
    declared: Vec<String>,
}

impl Written {
    fn of(connector: &Connector) -> Result<Self> {
        let mut written = Self {
            digest: connector.digest(),
            content: json_of(connector)?,
            keys: Vec::with_capacity(connector.actions.len()),
            lines: Vec::with_capacity(connector.actions.len()),
            declared: Vec::with_capacity(connector.actions.len()),
        };
        for action in &connector.actions {
            written.keys.push(action.key.clone());
            written.lines.push(json_of(&Line::of(action))?);
            written
                .declared
                .push(json_of(&Declared::of(connector, action))?);
        }
        Ok(written)
    }
}

fn page(summary: Summary, connector: Connector) -> Page {
    let line = |operation: &Operation| {
        let what = match operation.has_logic() {
            true => format!("component: {}", operation.run),
            false => format!("{} {}", operation.method.word(), operation.path),
        };
        (Line::of(operation), what)
    };
    Page {
        summary,
        actions: connector.actions.iter().map(line).collect(),
        base: connector.base,
        docs: connector.docs,
        auth: connector.auth,
        component: connector.component,
    }
}

fn preview(taken: Taken, before: Option<Kept>, uses: Vec<Use>) -> Result<Preview> {
    let connector = taken.connector;
    let before = before.map(|before| before.read()).transpose()?;
    Ok(Preview {
        digest: connector.digest(),
        actions: connector.actions.iter().map(Line::of).collect(),
        notes: taken.notes,
        changes: before.map(|before| compare(&before, &connector)),
        uses,
        key: connector.key,
        title: connector.title,
        version: connector.version,
        base: connector.base,
        component: connector.component,
    })
}

async fn replace_actions(tx: &mut Tx, me: &Me, id: Uuid, written: &Written) -> Result<()> {
    sqlx::query!("delete from connector_action where connector_id = $1", id)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "insert into connector_action
            (connector_id, organization_id, position, key, line, declared)
         select $1, $2, place, key, line::json, declared::json
         from unnest($3::text[], $4::text[], $5::text[]) with ordinality
            as action (key, line, declared, place)",
        id,
        me.organization.0,
        &written.keys,
        &written.lines,
        &written.declared,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn summaries(tx: &mut Tx, me: &Me, only: Option<&str>) -> Result<Vec<Summary>> {
    let rows = sqlx::query!(
        r#"select key, title, description, version, icon, source, imported_at,
                (select count(*) from connector_action
                 where connector_action.connector_id = connector.connector_id) as "actions!"
           from connector
           where organization_id = $1 and ($2::text is null or key = $2)
           order by lower(title), key"#,
        me.organization.0,
        only,
    )
    .fetch_all(&mut **tx)
    .await?;
    let summary = rows.into_iter().map(|row| Summary {
        key: row.key,
        title: row.title,
        description: row.description,
        version: row.version,
        icon: row.icon,
        actions: u32::try_from(row.actions).unwrap_or(u32::MAX),
        source: row.source,
        imported_at: timestamp::read(row.imported_at),
    });
    Ok(summary.collect())
}

/// Returns the connector of a key as it is kept.
async fn kept(tx: &mut Tx, me: &Me, key: &str) -> Result<Option<Kept>> {
    let content = sqlx::query_scalar!(
        r#"select content::text as "content!" from connector
           where organization_id = $1 and key = $2"#,
        me.organization.0,
        key,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(content.map(|content| Kept { content }))
}

async fn uses(tx: &mut Tx, me: &Me, key: &str) -> Result<Vec<Use>> {
    // A glance at the text first: most documents have no step of a connector.
    let rows = sqlx::query!(
        r#"with content as (
                select integration.integration_id, null::uuid as draft_id, null::text as title, body
                from integration
                join version on version_id = live_version_id
                join document on document.organization_id = $1 and document.hash = version.hash
                where integration.organization_id = $1
                union all
                select integration_id, draft_id, title, document
                from draft
                where organization_id = $1 and state not in ('published', 'discarded')
            ), step as (
                -- PostgreSQL reads no text with this character, which JSON may hold.
                select integration_id, draft_id, title, value
                from content, json_each(
                    replace(body::text, '\u0000', '\ufffd')::json -> 'steps'
                )
                where strpos(body::text, '"connector"') > 0
            )
            select integration_id as "integration_id!", integration.name, draft_id, step.title,
                array_agg(distinct value #>> '{action,operation,key}') as "actions!"
            from step join integration using (integration_id)
            where value ->> 'kind' = $2 and value #>> '{action,connector}' = $3
            group by integration_id, integration.name, draft_id, step.title
            order by integration.name, integration_id, step.title nulls first, draft_id"#,
        me.organization.0,
        STEP,
        key,
    )
    .fetch_all(&mut **tx)
    .await?;
    let line = rows.into_iter().map(|row| Use {
        integration: IntegrationId(row.integration_id),
        name: row.name,
        draft: row.draft_id.map(DraftId).zip(row.title),
        actions: row.actions,
    });
    Ok(line.collect())
}

fn json_of(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()).into())
}

fn read<T: DeserializeOwned>(stored: Value) -> Result<T> {
    serde_json::from_value(stored).map_err(|error| sqlx::Error::decode(error).into())
}
