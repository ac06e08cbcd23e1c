//! Small Sass cases and code bases from npm: what the reference compiler makes of them, and whether an engine's
//! CSS is the same.
//!
//! Owns the case files and their format, the pinned code bases, the reference (`sass-embedded`), and what counts
//! as the same CSS. Does not own the engines: who compiles is a function from [`Job`] to a result.

pub mod case;
pub mod code_base;
pub mod compare;
pub mod job;
pub mod oracle;

pub use job::{Job, Style};
