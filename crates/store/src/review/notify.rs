//! Tells members what happened in a review: in the application, and by e-mail through the outbox.

use std::collections::BTreeSet;

use domain::account::Me;
use domain::review::thread::mentions;
use domain::review::{Happening, Person};
use domain::{AccountId, ReviewId, ThreadId};
use uuid::Uuid;

use super::facts::members;
use crate::live::{Changed, What};
use crate::{Result, Tx};

/// What members are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    happening: Happening,
    review: ReviewId,
    thread: Option<ThreadId>,
}

impl Message {
    pub(crate) fn new(happening: Happening, review: ReviewId) -> Self {
        Self {
            happening,
            review,
            thread: None,
        }
    }

    pub(crate) fn in_thread(self, thread: Option<ThreadId>) -> Self {
        Self { thread, ..self }
    }
}

/// Tells some people, as far as they are members now; never `me`, who did it.
pub(crate) async fn tell(
    tx: &mut Tx,
    me: &Me,
    people: impl IntoIterator<Item = AccountId>,
    message: Message,
) -> Result<Vec<Changed>> {
    let people: BTreeSet<AccountId> = people.into_iter().collect();
    let accounts: Vec<Uuid> = people
        .into_iter()
        .filter(|account| *account != me.account)
        .map(|account| account.0)
        .collect();
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = accounts.iter().map(|_| Uuid::now_v7()).collect();
    let told = sqlx::query_scalar!(
        r#"with told as (
               insert into notification (notification_id, organization_id, account_id, happening,
                    by_account, review_id, thread_id)
               select id, $1, account_id, $4, $5, $6, $7
               from unnest($2::uuid[], $3::uuid[]) as message (id, account_id)
               join member using (account_id)
               where member.organization_id = $1
               returning notification_id, account_id
           ), mailed as (
               insert into mail (mail_id, notification_id, organization_id)
               select notification_id, notification_id, $1 from told
           )
           select account_id as "account_id!" from told"#,
        me.organization.0,
        &ids,
        &accounts,
        message.happening.key(),
        me.account.0,
        message.review.0,
        message.thread.map(|thread| thread.0),
    )
    .fetch_all(&mut **tx)
    .await?;
    let told = told
        .into_iter()
        .map(|account| notified(me, AccountId(account)));
    Ok(told.collect())
}

/// Says that a member has new notifications, or has seen some.
pub(crate) fn notified(me: &Me, account: AccountId) -> Changed {
    Changed {
        organization: me.organization,
        what: What::Notified(account),
    }
}

/// Returns everyone who takes part in a review: whoever asked for it, wrote the draft, was asked,
/// decided, or said something for all to see.
pub(crate) async fn participants(
    tx: &mut Tx,
    me: &Me,
    review: ReviewId,
) -> Result<BTreeSet<AccountId>> {
    let accounts = sqlx::query_scalar!(
        r#"select account_id as "account_id!" from (
               select created_by from review where review_id = $2
               union select created_by from draft
                    where draft_id = (select draft_id from review where review_id = $2)
               union select account_id from draft_revision
                    where draft_id = (select draft_id from review where review_id = $2)
               union select account_id from review_asked where review_id = $2
               union select account_id from decision where review_id = $2
               union select account_id from comment where review_id = $2 and sent_at is not null
           ) as part (account_id)
           join member using (account_id)
           where organization_id = $1"#,
        me.organization.0,
        review.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(accounts.into_iter().map(AccountId).collect())
}

/// Returns the members whose names stand in a text.
pub(crate) async fn mentioned(tx: &mut Tx, me: &Me, text: &str) -> Result<BTreeSet<AccountId>> {
    if !text.contains('@') {
        return Ok(BTreeSet::new());
    }
    let members = members(tx, me).await?.into_iter();
    let members: Vec<Person> = members.map(|(person, _)| person).collect();
    Ok(mentions(text, &members))
}

/// Tells those who are mentioned in a text of that, and others who take part of something else.
pub(crate) async fn tell_all(
    tx: &mut Tx,
    me: &Me,
    text: &str,
    others: &BTreeSet<AccountId>,
    message: Message,
) -> Result<Vec<Changed>> {
    let mentioned = mentioned(tx, me, text).await?;
    let rest = others.difference(&mentioned).copied();
    let mut changes = tell(tx, me, rest, message).await?;
    let mention = Message {
        happening: Happening::Mentioned,
        ..message
    };
    changes.extend(tell(tx, me, mentioned, mention).await?);
    Ok(changes)
}
