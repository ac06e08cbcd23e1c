//! What a pipeline with its children costs in memory: here, and where a bare client keeps the same objects.

use std::fmt;

/// Bytes that a pipeline with its children may take.
pub(crate) const MOST_BYTES: f64 = 30.0 * 1024.0;
/// And in relation to the bare client.
pub(crate) const MOST_TIMES: f64 = 1.3;

/// Bytes for each pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) operator: f64,
    pub(crate) bare: f64,
    /// Of the whole process.
    pub(crate) operator_whole: u64,
    pub(crate) bare_whole: u64,
}

impl Memory {
    /// From the resident bytes of both, without pipelines and with so many.
    #[expect(clippy::cast_precision_loss, reason = "bytes of one process are far below 2^52")]
    pub(crate) fn new(empty: (u64, u64), full: (u64, u64), pipelines: usize) -> Self {
        let each = |full: u64, empty: u64| (full as f64 - empty as f64) / pipelines as f64;
        Self {
            operator: each(full.0, empty.0),
            bare: each(full.1, empty.1),
            operator_whole: full.0,
            bare_whole: full.1,
        }
    }

    pub(crate) fn times(&self) -> f64 {
        self.operator / self.bare
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, bare, operator_whole, bare_whole } = self;
        write!(
            f,
            "memory for each pipeline: operator {:.1} KB (whole {} MB), bare cache {:.1} KB (whole {} MB)",
            operator / 1024.0,
            operator_whole >> 20,
            bare / 1024.0,
            bare_whole >> 20
        )
    }
}
