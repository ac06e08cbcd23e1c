//! The compile child: a process that compiles some style sheets of one tenant and is then gone.
//!
//! Sass is a programming language and tenants are strangers, so the engine runs where it can end
//! only itself. The child's environment holds nothing but a setting of the allocator, and it is confined
//! before it reads its first byte (`confine`). It waits, confined, until it is given an order, and asks its
//! parent for every source over its standard streams. Afterwards it waits for another order of the same tenant,
//! unless it is worn or failed.

mod blocks;
pub mod confine;
mod engine;
mod input;
mod known_wrong;
mod limits;
pub mod protocol;
mod rebase;
mod scan;
mod source_map;
mod sources;
mod warmth;
mod wear;

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write, stdin, stdout},
    process::ExitCode,
};

use pipeline::{
    chain,
    options::{CompileOptions, SourceMaps},
};

pub use confine::Confinement;
use confine::CpuTimer;
use engine::Task;
pub use input::OUT_OF_TIME;
use input::{TimedInput, used_cpu_time};
pub use limits::ChildLimits;
pub(crate) use limits::Terms;
use protocol::{FromChild, Hello, Order, ToChild};
use rebase::Site;
use sources::ParentSources;

/// The argument that makes a program of ours a compile child; its terms follow.
pub const CHILD_ARGUMENT: &str = "compile-child";

/// Whatever compiles gives way to the worker itself, which fetches, stores and answers for all tenants.
const NICENESS: i32 = 5;

/// Call first in main: compiles and gives the exit code where this process is a compile child,
/// gives `None` everywhere else.
pub fn run_if_child() -> Option<ExitCode> {
    let mut arguments = env::args().skip(1);
    (arguments.next()? == CHILD_ARGUMENT).then(|| match serve(Terms::from_arguments(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile child: {error}");
            ExitCode::FAILURE
        }
    })
}

fn serve(terms: Option<Terms>) -> io::Result<()> {
    let terms = terms.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "these are no terms"))?;
    env::set_current_dir("/")?;
    rustix::process::nice(NICENESS)?;
    let work = move |confinement, cpu_timer| serve_confined(confinement, cpu_timer, terms);
    match confine::run(terms.limits, work) {
        Ok(done) => done,
        Err(error) => protocol::write(&mut stdout(), Hello::Unfit { reason: chain(&error) }),
    }
}

fn serve_confined(confinement: Confinement, mut cpu_timer: CpuTimer, terms: Terms) -> io::Result<()> {
    warmth::warm_up();
    protocol::write(&mut stdout(), Hello::Ready(confinement))?;
    let mut input = BufReader::new(TimedInput::new(stdin()));
    // The start counts towards the first order.
    let mut cpu_time = terms.limits.cpu_time().saturating_sub(used_cpu_time()?);
    loop {
        // Before the order comes: to wait for it takes none.
        input.get_mut().start(cpu_time)?;
        cpu_timer.start(cpu_time)?;
        let Some(order) = next_order(&mut input)? else { break };
        cpu_time = terms.limits.cpu_time();
        let (result, places) = compile(order, &mut input)?;
        // What an error leaves behind in an engine is nobody's to rely on.
        let stays = result.is_ok() && !engine::has_panicked() && !wear::is_worn(terms.limits)?;
        let result = protocol::bounded(result, terms.output_bytes);
        // By one call, so that the parent wakes up once.
        let mut last_words = protocol::encode(FromChild::Used { places })?;
        last_words.extend(protocol::encode(FromChild::Done { result, stays })?);
        stdout().write_all(&last_words)?;
        stdout().flush()?;
        if !stays {
            break;
        }
    }
    Ok(())
}

/// `None` where the parent has no more.
fn next_order(input: &mut impl BufRead) -> io::Result<Option<Order>> {
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    match protocol::read(input)? {
        ToChild::Compile(order) => Ok(Some(*order)),
        ToChild::Probed { .. } | ToChild::Source(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "this message is no order"))
        }
    }
}

/// What came of it, and which of the known sources were read for it.
fn compile(order: Order, input: impl Read) -> io::Result<(Result<String, String>, Vec<usize>)> {
    let Order { entry, load_paths, site, options, known } = order;
    let CompileOptions { engine, style, urls: _, source_maps } = options;
    let task = Task { entry: &entry, load_paths: &load_paths, style, source_maps };
    let sources = ParentSources::new(input, &entry, known);
    let begin = |engine| protocol::write(&mut stdout(), FromChild::Begins { engine });
    let site = site.as_ref().and_then(|site| Site::new(site, &entry));
    let result = engine::compile(engine, task, &sources, begin)?;
    let result = result.map(|css| match site {
        Some(site) => site.rebase_all(css),
        None => css,
    });
    let result = result.map(|css| match source_maps {
        SourceMaps::Inline => css.with_map_inline(),
        SourceMaps::None => css.text,
    });
    Ok((result, sources.into_used()))
}
