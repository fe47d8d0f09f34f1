//! The stages, in the order of the book.
