//! From a style sheet's entry to its CSS: what it loads is fetched ahead, then it is compiled while what was
//! taken for granted is verified.

use pipeline::options::CompileOptions;

use crate::{
    closure::{Assumptions, Sources},
    compiler::{CompileError, Compiled, Compiler},
};

/// Compiles `entry`, which was found already, from `sources`. Their closure is complete afterwards.
pub(crate) async fn make(
    compiler: &Compiler,
    entry: &str,
    load_paths: &[String],
    options: &CompileOptions,
    sources: &mut Sources,
) -> Result<Compiled, CompileError> {
    // Ends: each round verifies paths that no earlier one did, and the limits bound these.
    loop {
        sources.fetch_ahead(entry, load_paths).await;
        let unverified = sources.unverified();
        let compile = compiler.compile(entry, load_paths, options, sources);
        let (made, verified) = tokio::join!(compile, unverified.ask());
        match sources.note_verified(verified).map_err(CompileError::Sources)? {
            Assumptions::Right => return made,
            Assumptions::Wrong => {}
        }
    }
}
