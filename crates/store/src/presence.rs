//! Who has what open. It is passed on and not kept: a page that stops telling is gone.

use domain::account::Me;
use domain::live::Place;
use domain::policy::Act;
use domain::presence::At;

use crate::live::{Changed, What};
use crate::{Error, Result, Store};

impl Store {
    /// Tells all open pages of the organization that `me` has something open in the page `tab`,
    /// with a step selected and the caret in a field of it, or that it leaves it.
    ///
    /// # Errors
    /// When the session ended, or there is no such draft or review in the organization.
    pub async fn here(
        &self,
        me: &Me,
        place: Place,
        at: At,
        tab: u32,
        is_leaving: bool,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::See).await?;
        let (draft, review) = match place {
            Place::Draft(draft) => (Some(draft.0), None),
            Place::Review(review) => (None, Some(review.0)),
        };
        let is_there = sqlx::query_scalar!(
            r#"select exists (
                   select from draft where organization_id = $1 and draft_id = $2
                   union all
                   select from review where organization_id = $1 and review_id = $3
               ) as "is_there!""#,
            me.organization.0,
            draft,
            review,
        )
        .fetch_one(&mut *tx)
        .await?;
        if !is_there {
            return Err(Error::NotFound);
        }
        drop(tx);
        let what = What::Here {
            place,
            account: me.account,
            step: at.step,
            field: at.field,
            tab,
            is_leaving,
        };
        self.live().tell_all([Changed {
            organization: me.organization,
            what,
        }]);
        Ok(())
    }
}
