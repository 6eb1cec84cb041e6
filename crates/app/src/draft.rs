//! Drafts and the builder.
//!
//! `editor` holds the document and its history and tells of changes `per_step`, `saving` keeps it on
//! the server, and what is not there yet in the browser (`kept`), `comparing` is fetched when documents
//! are to be compared or merged, `builder` draws all that. Everything a person does to a document goes through [`domain::edit::apply`].

pub mod api;
#[cfg(feature = "csr")]
mod builder;
#[cfg(feature = "csr")]
mod comparing;
#[cfg(feature = "csr")]
mod editor;
#[cfg(feature = "csr")]
mod kept;
#[cfg(feature = "csr")]
mod per_step;
#[cfg(feature = "csr")]
mod saving;
#[cfg(feature = "csr")]
mod selection;

#[cfg(feature = "csr")]
pub(crate) use builder::page;
