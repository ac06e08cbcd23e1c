//! The parent's side of a compile: starts a child, answers its questions, and names its end.

use std::{io, os::unix::process::ExitStatusExt, path::PathBuf, process::Stdio, time::Duration};

use pipeline::options::{CompileOptions, SassEngine};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{
    child::{
        CHILD_ARGUMENT, ChildLimits,
        protocol::{self, FromChild, Order, ToChild},
    },
    closure::{Sources, SourcesError},
};

/// What one compile may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub child: ChildLimits,
    /// The largest style sheet that is taken, in bytes.
    pub output_bytes: usize,
}

/// The longest error message that is stored.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// How long a child that has said its last word, or was killed, may take to be gone.
const REAP_TIMEOUT: Duration = Duration::from_secs(5);

/// Linux's numbers of the signals that end a child which hit a limit.
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;

/// Starts compile children.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The program that becomes a child when it is given [`CHILD_ARGUMENT`].
    pub program: PathBuf,
    pub limits: Limits,
}

/// Why there is no style sheet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompileError {
    /// The Sass is wrong, or used up a limit. For the site's owner; the same again would end the same way.
    /// Without an engine, none had a say.
    #[error("{message}")]
    Sass { message: String, engine: Option<SassEngine> },
    #[error("the origin has neither {}, {} nor {}", .candidates[0], .candidates[1], .candidates[2])]
    Absent { candidates: [String; 3] },
    #[error(transparent)]
    Sources(SourcesError),
    /// The child could not be started or talked to; says nothing about the style sheet.
    #[error("could not run a compile child")]
    Child(#[source] io::Error),
}

/// A style sheet, and the engine that made it.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) css: String,
    pub(crate) engine: Option<SassEngine>,
}

impl Compiler {
    /// Compiles `entry` from `sources`. Dropping the future kills the child.
    pub(crate) async fn compile(
        &self,
        entry: &str,
        load_paths: &[String],
        options: &CompileOptions,
        sources: &mut Sources,
    ) -> Result<Compiled, CompileError> {
        let mut child = self.start().map_err(CompileError::Child)?;
        let order = Order {
            entry: entry.to_owned(),
            load_paths: load_paths.to_owned(),
            options: options.clone(),
            limits: self.limits.child,
        };
        let mut engine = None;
        let outcome = self.converse(&mut child, order, sources, &mut engine).await;
        let sass = |message| CompileError::Sass { message, engine };
        match outcome {
            Ok(Some(Ok(css))) => match self.refuse_output(&css) {
                None => Ok(Compiled { css, engine }),
                Some(message) => Err(sass(message)),
            },
            Ok(Some(Err(message))) => Err(sass(shorten(message))),
            // The child ended without a last word, or in the middle of one.
            Ok(None) => Err(self.name_end(&mut child).await.map_or_else(CompileError::Child, sass)),
            Err(CompileError::Child(error)) if is_broken(&error) => {
                Err(self.name_end(&mut child).await.map_or_else(CompileError::Child, sass))
            }
            Err(error) => Err(error),
        }
    }

    fn start(&self) -> io::Result<Child> {
        Command::new(&self.program)
            .arg(CHILD_ARGUMENT)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    async fn converse(
        &self,
        child: &mut Child,
        order: Order,
        sources: &mut Sources,
        engine: &mut Option<SassEngine>,
    ) -> Result<Option<Result<String, String>>, CompileError> {
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(CompileError::Child(io::Error::other("the child has no pipes")));
        };
        let mut output = BufReader::new(output);
        tell(&mut input, &ToChild::Compile(order)).await?;
        while let Some(message) = hear(&mut output).await? {
            let answer = match message {
                FromChild::Done(result) => return Ok(Some(result)),
                FromChild::Begins { engine: begins } => {
                    *engine = Some(begins);
                    continue;
                }
                FromChild::Probe { path } => {
                    ToChild::Probed { present: sources.probe(&path).await.map_err(CompileError::Sources)? }
                }
                FromChild::Read { path } => {
                    let source = sources.read(&path).await.map_err(CompileError::Sources)?;
                    ToChild::Source(source.map(|source| decode(&path, &source.body)).transpose()?)
                }
            };
            tell(&mut input, &answer).await?;
        }
        Ok(None)
    }

    /// Why the style sheet is not taken.
    fn refuse_output(&self, css: &str) -> Option<String> {
        let (length, limit) = (css.len(), self.limits.output_bytes);
        let refuse = || format!("the style sheet is {length} bytes long; at most {limit} are taken");
        (length > limit).then(refuse)
    }

    /// The limit that ended the child, in the words of its message.
    async fn name_end(&self, child: &mut Child) -> Result<String, io::Error> {
        let ChildLimits { cpu_seconds, memory_bytes } = self.limits.child;
        let status = match timeout(REAP_TIMEOUT, child.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(error),
            Err(late) => return Err(late.into()),
        };
        match status.signal() {
            Some(SIGXCPU) => Ok(format!(
                "compiling took more than {cpu_seconds} s of CPU time; look for a loop that does not end"
            )),
            Some(SIGABRT | SIGSEGV) => Ok(format!(
                "compiling needed more than {} MiB of memory, or too deep a recursion; look for a mixin or \
                 function that calls itself without end",
                memory_bytes >> 20
            )),
            _ => Err(io::Error::other(format!("the child ended with {status}"))),
        }
    }
}

/// The message, cut where it is longer than anybody reads: a style sheet can make it as long as it likes.
fn shorten(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        message.push_str("… (cut)");
    }
    message
}

fn is_broken(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
    )
}

fn decode(path: &str, body: &[u8]) -> Result<String, CompileError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let message = format!("{path} is not UTF-8: byte {} does not fit", error.valid_up_to());
        CompileError::Sass { message, engine: None }
    })?;
    Ok(text.to_owned())
}

async fn tell(input: &mut ChildStdin, message: &ToChild) -> Result<(), CompileError> {
    let frame = protocol::encode(message).map_err(CompileError::Child)?;
    input.write_all(&frame).await.map_err(CompileError::Child)
}

/// The child's next message, or `None` at the end of its output.
async fn hear(output: &mut BufReader<ChildStdout>) -> Result<Option<FromChild>, CompileError> {
    let mut length = [0; 4];
    match output.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(CompileError::Child(error)),
    }
    let mut body = vec![0; protocol::checked_length(length).map_err(CompileError::Child)?];
    output.read_exact(&mut body).await.map_err(CompileError::Child)?;
    serde_json::from_slice(&body).map(Some).map_err(|error| CompileError::Child(error.into()))
}
