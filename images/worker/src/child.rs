//! The compile child: a process that compiles one file of one tenant and is then gone.
//!
//! Sass is a programming language and tenants are strangers, so the engine runs where it can end
//! only itself. The child has an empty environment, bounded CPU time and memory, may write no files, and
//! asks its parent for every source over its standard streams.

mod engine;
mod known_wrong;
mod limits;
pub mod protocol;
mod scan;
mod sources;

use std::{
    env,
    io::{self, BufReader, Read, stdin, stdout},
    process::ExitCode,
    thread,
};

use pipeline::options::CompileOptions;

use engine::Task;
pub use limits::ChildLimits;
use protocol::{FromChild, Order, ToChild};
use sources::ParentSources;

/// The argument that makes a program of ours a compile child.
pub const CHILD_ARGUMENT: &str = "compile-child";

/// The engine's stack. Engines recurse over nested rules and calls; a deeper recursion ends the child.
const STACK_BYTES: usize = 64 << 20;

/// Call first in main: compiles and gives the exit code where this process is a compile child,
/// gives `None` everywhere else.
pub fn run_if_child() -> Option<ExitCode> {
    (env::args().nth(1).as_deref() == Some(CHILD_ARGUMENT)).then(|| match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compile child: {error}");
            ExitCode::FAILURE
        }
    })
}

fn serve() -> io::Result<()> {
    let mut input = BufReader::new(stdin());
    let ToChild::Compile(order) = protocol::read(&mut input)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the first message is no order"));
    };
    order.limits.apply()?;
    let compile = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || compile(&order, input))?;
    let result = compile.join().unwrap_or_else(|_| Err(io::Error::other("the engine's thread panicked")))?;
    protocol::write(&mut stdout(), &FromChild::Done(result))
}

fn compile(order: &Order, input: impl Read) -> io::Result<Result<String, String>> {
    let Order { entry, load_paths, options: CompileOptions { engine, style }, limits: _ } = order;
    let task = Task { entry, load_paths, style: *style };
    let sources = ParentSources::new(input);
    let begin = |engine| protocol::write(&mut stdout(), &FromChild::Begins { engine });
    engine::compile(*engine, task, &sources, begin)
}
