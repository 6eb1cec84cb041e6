//! Tables of small documents.
