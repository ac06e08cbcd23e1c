//! The parent's side of a compile: gives an order to a child, answers its questions, and names its end.

mod alone;
mod resting;
mod warm;

use std::{io, mem, os::unix::process::ExitStatusExt, path::PathBuf, sync::Arc, time::Duration};

use pipeline::{
    names::TenantId,
    options::{CompileOptions, SassEngine},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::ChildStdin,
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::{
    child::{
        ChildLimits, OUT_OF_TIME, Terms,
        protocol::{self, FromChild, Message, Order, ToChild},
    },
    closure::{Sources, SourcesError},
};
pub use alone::LoneSheet;
use resting::RestingChildren;
use warm::{WarmChild, WarmChildren};

/// What one compile may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub child: ChildLimits,
    /// The largest style sheet that is taken, in bytes.
    pub output_bytes: usize,
}

/// The longest error message that is stored.
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// So many children are tried where one after the other is gone before it began.
const MAX_CHILDREN: u32 = 3;

/// How long a child that has said its last word, or was killed, may take to be gone.
const REAP_TIMEOUT: Duration = Duration::from_secs(5);

/// Linux's numbers of the signals that end a child which hit a limit.
const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;
/// A system call that children may not make.
const SIGSYS: i32 = 31;

/// Compiles in children, each of which serves one tenant.
#[derive(Debug, Clone)]
pub struct Compiler {
    limits: Limits,
    children: Arc<WarmChildren>,
    /// Those that have served already; as many as are kept warm for.
    resting: Arc<RestingChildren>,
    /// Fills the gaps among the children that wait, where any are to, and ends those that rest too long.
    keeper: Option<Arc<AbortOnDropHandle<()>>>,
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

/// What is compiled, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recipe<'r> {
    /// Whose children may be taken, and get this one afterwards; without one, it is ended.
    pub(crate) tenant: Option<&'r TenantId>,
    /// Absolute path at the origin.
    pub(crate) entry: &'r str,
    pub(crate) load_paths: &'r [String],
    /// Where the site's files lie that relative URLs in the CSS mean.
    pub(crate) site: Option<&'r Url>,
    pub(crate) options: &'r CompileOptions,
}

/// A style sheet, and the engine that made it.
#[derive(Debug)]
pub struct Compiled {
    pub css: String,
    pub engine: Option<SassEngine>,
}

/// A child's last words to an order.
struct Said {
    result: Result<String, String>,
    stays: bool,
}

/// What a child said beside its questions.
struct Heard {
    engine: Option<SassEngine>,
    /// The known sources of which it has not said whether it read them.
    unsaid: Vec<String>,
}

impl Compiler {
    /// `program` becomes a child when it is given [`CHILD_ARGUMENT`](crate::child::CHILD_ARGUMENT). Children
    /// are started when they are needed, unless some are kept waiting.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        let terms = Terms { limits: limits.child, output_bytes: limits.output_bytes };
        let (children, resting) = (WarmChildren::new(program, terms), RestingChildren::new(0));
        Self { limits, children: Arc::new(children), resting: Arc::new(resting), keeper: None }
    }

    /// From now on has children wait for so many jobs at a time, and one more, since a new one is started only
    /// when a job has ended; and as many that have served stay for their tenants' next jobs. Fails where children
    /// cannot be confined, and says what this kernel lacks where they can do without.
    pub async fn keep_warm_for(&mut self, jobs: u16) -> io::Result<()> {
        let (_, confinement) = self.children.take().await?;
        if let Some(lacking) = confinement.lacks() {
            tracing::warn!(kernel.lacks = lacking, "compile children are confined by what else there is");
        }
        self.resting = Arc::new(RestingChildren::new(jobs.into()));
        let (children, resting) = (self.children.clone(), self.resting.clone());
        let keep = async move { tokio::join!(children.keep(usize::from(jobs) + 1), resting.keep()) };
        self.keeper = Some(Arc::new(AbortOnDropHandle::new(tokio::spawn(async move {
            keep.await;
        }))));
        Ok(())
    }

    /// Compiles from `sources`. Dropping the future kills the child.
    pub(crate) async fn compile(
        &self,
        recipe: Recipe<'_>,
        sources: &mut Sources,
    ) -> Result<Compiled, CompileError> {
        let mut tries = 1;
        loop {
            let resting = recipe.tenant.and_then(|tenant| self.resting.take(tenant));
            let _gap = resting.is_none().then(|| self.children.gap());
            match self.compile_in_one_child(recipe, sources, resting).await {
                Ok(ended) => return ended,
                Err(error) if tries == MAX_CHILDREN => return Err(CompileError::Child(error)),
                Err(error) => tracing::warn!(%error, "a child was lost before it began; taking another one"),
            }
            tries += 1;
        }
    }

    /// Fails where the child was gone before it began, which says nothing of the style sheet: something killed it
    /// while it waited.
    async fn compile_in_one_child(
        &self,
        recipe: Recipe<'_>,
        sources: &mut Sources,
        resting: Option<WarmChild>,
    ) -> io::Result<Result<Compiled, CompileError>> {
        let mut child = match resting {
            Some(child) => child,
            None => self.children.take().await?.0,
        };
        let Recipe { tenant, entry, load_paths, site, options } = recipe;
        let order = Order {
            entry: entry.to_owned(),
            load_paths: load_paths.to_owned(),
            site: site.cloned(),
            options: options.clone(),
            known: sources.known(),
        };
        let mut heard = Heard { engine: None, unsaid: order.known.sources.keys().cloned().collect() };
        let outcome = self.converse(&mut child, order, sources, &mut heard).await;
        let Heard { engine, unsaid } = heard;
        let sass = |message| CompileError::Sass { message, engine };
        let ended = match outcome {
            Ok(Some(Said { result: Ok(css), stays })) => match self.refuse_output(&css) {
                None => {
                    if let Some(tenant) = tenant.filter(|_| stays) {
                        self.resting.put(tenant.clone(), child);
                    }
                    Ok(Compiled { css, engine })
                }
                Some(message) => Err(sass(message)),
            },
            Ok(Some(Said { result: Err(message), stays: _ })) => Err(sass(explain(message))),
            // The child ended without a last word, or in the middle of one.
            Ok(None) => Err(self.name_end(&mut child).await.map_or_else(CompileError::Child, sass)),
            Err(CompileError::Child(error)) if is_broken(&error) => {
                Err(self.name_end(&mut child).await.map_or_else(CompileError::Child, sass))
            }
            Err(error) => Err(error),
        };
        match (ended, engine) {
            // A message that cannot be written is no fault of this child's.
            (Err(CompileError::Child(error)), None) if error.kind() != io::ErrorKind::InvalidData => {
                Err(error)
            }
            (ended, _) => {
                // Of a child that did not come to say what it read, everything counts.
                sources.note_used(unsaid);
                Ok(ended)
            }
        }
    }

    async fn converse(
        &self,
        child: &mut WarmChild,
        order: Order,
        sources: &mut Sources,
        heard: &mut Heard,
    ) -> Result<Option<Said>, CompileError> {
        let WarmChild { process: _, input, output } = child;
        let longest = protocol::longest_from_child(self.limits.output_bytes);
        tell(input, ToChild::Compile(Box::new(order))).await?;
        while let Some(message) = hear(output, longest).await.map_err(CompileError::Child)? {
            let answer = match message {
                FromChild::Done { result, stays } => return Ok(Some(Said { result, stays })),
                FromChild::Begins { engine } => {
                    heard.engine = Some(engine);
                    continue;
                }
                FromChild::Used { places } => {
                    let known = mem::take(&mut heard.unsaid);
                    sources.note_used(places.iter().filter_map(|place| known.get(*place).cloned()));
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
            tell(input, answer).await?;
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
    async fn name_end(&self, child: &mut WarmChild) -> Result<String, io::Error> {
        let ChildLimits { cpu_seconds, memory_bytes } = self.limits.child;
        let status = match timeout(REAP_TIMEOUT, child.process.wait()).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return Err(error),
            Err(late) => return Err(late.into()),
        };
        match status.signal() {
            _ if status.code() == Some(OUT_OF_TIME.into()) => Ok(out_of_time(cpu_seconds)),
            Some(SIGXCPU) => Ok(out_of_time(cpu_seconds)),
            Some(SIGABRT | SIGSEGV) => Ok(format!(
                "compiling needed more than {} MiB of memory, or too deep a recursion; look for a mixin or \
                 function that calls itself without end",
                memory_bytes >> 20
            )),
            Some(SIGSYS) => {
                tracing::error!("a compile child was ended at a system call that no compile needs");
                Ok("compiling tried what no style sheet may do, and was stopped".to_owned())
            }
            _ => Err(io::Error::other(format!("the child ended with {status}"))),
        }
    }
}

fn out_of_time(cpu_seconds: u64) -> String {
    format!("compiling took more than {cpu_seconds} s of CPU time; look for a loop that does not end")
}

/// The message, cut where it is longer than anybody reads: a style sheet can make it as long as it likes. A child that
/// a style sheet has taken over may say nothing at all.
fn explain(mut message: String) -> String {
    if message.is_empty() {
        "compiling failed, and the engine did not say why".clone_into(&mut message);
    }
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

async fn tell(input: &mut ChildStdin, message: ToChild) -> Result<(), CompileError> {
    let frame = protocol::encode(message).map_err(CompileError::Child)?;
    input.write_all(&frame).await.map_err(CompileError::Child)
}

/// The child's next message, or `None` at the end of its output.
async fn hear<M: Message>(output: &mut (impl AsyncRead + Unpin), longest: usize) -> io::Result<Option<M>> {
    let mut length = [0; 4];
    match output.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut body = vec![0; protocol::checked_length(length, longest)?];
    output.read_exact(&mut body).await?;
    protocol::decode(&body).map(Some)
}
