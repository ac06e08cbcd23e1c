//! Small Sass cases and code bases from npm: what the reference compiler makes of them, and whether an engine's
//! CSS is the same.
//!
//! Owns the case files and their format, the pinned code bases, the reference (`sass-embedded`), what counts as
//! the same CSS, and the list of cases that come out otherwise. Does not own the engines, nor the choice of one:
//! that is the worker's own code.

pub mod case;
pub mod code_base;
pub mod compare;
pub mod exceptions;
pub mod job;
pub mod oracle;
pub mod run;

pub use job::{Job, Style};
