//! Who else has the same draft or review open, and what is selected there: live, and kept nowhere
//! but in the pages themselves. The rules are in [`domain::presence`].

pub mod api;
#[cfg(feature = "csr")]
mod names;
#[cfg(feature = "csr")]
mod page;

#[cfg(feature = "csr")]
pub(crate) use page::{FormCompany, Presence, announce, at_step, in_field, mark_of, who_is_here};
