//! From a style sheet's entry to its CSS: what it loads is fetched ahead, then it is compiled while what was
//! taken for granted is verified.

use crate::{
    closure::{Assumptions, Sources},
    compiler::{CompileError, Compiled, Compiler, Recipe},
    spans::{Span, Spans},
};

/// Compiles from `sources`, among which the entry was found already. Their closure is complete afterwards.
pub(crate) async fn make(
    compiler: &Compiler,
    recipe: Recipe<'_>,
    sources: &mut Sources,
    spans: &Spans,
) -> Result<Compiled, CompileError> {
    // Ends: each round verifies paths that no earlier one did, and the limits bound these.
    loop {
        sources.fetch_ahead(recipe.entry, recipe.load_paths).await;
        let unverified = sources.unverified();
        let compile = spans.time(Span::Compile, compiler.compile(recipe, sources));
        let (made, verified) = tokio::join!(compile, unverified.ask());
        let verified = verified.map_err(CompileError::Sources)?;
        match sources.note_verified(verified).map_err(CompileError::Sources)? {
            Assumptions::Right => return made,
            Assumptions::Wrong => {}
        }
    }
}
