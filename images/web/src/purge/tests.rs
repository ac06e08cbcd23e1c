use std::{collections::HashMap, time::Duration};

use pipeline::{
    embedded::MemoryStore,
    key::AssetPath,
    manifest::{Closure, MANIFEST_VERSION, Outcome},
    names::Digest,
    options::CompileOptions,
    purge::{Purge, PurgeScope, Purges},
    record::{StoredManifest, replace_manifest},
};
use proptest::prelude::*;

use super::*;
use crate::policy::{Backoff, ErrorDisplay, Verdict};

/// What happens next, in the real order of things.
#[derive(Debug, Clone)]
enum Step {
    Pass {
        milliseconds: i64,
    },
    /// A worker reads the sources and the manifest that is there, and then takes its time.
    Read {
        worker: usize,
        compiles: bool,
    },
    /// It goes on where it was.
    Store {
        worker: usize,
    },
    Purge {
        scope: usize,
    },
    Visit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_i64..3_000).prop_map(|milliseconds| Step::Pass { milliseconds }),
        3 => (0_usize..3, any::<bool>()).prop_map(|(worker, compiles)| Step::Read { worker, compiles }),
        3 => (0_usize..3).prop_map(|worker| Step::Store { worker }),
        1 => (0_usize..4).prop_map(|scope| Step::Purge { scope }),
        3 => Just(Step::Visit),
    ];
    prop::collection::vec(step, 1..60)
}

/// Each clock's distance from the real time, in milliseconds: no two are more than 2 s apart. The last two
/// are those of who purges and of the pod.
fn clocks() -> impl Strategy<Value = [i64; 5]> {
    prop::array::uniform5(-1_000_i64..=1_000)
}

fn scopes() -> [PurgeScope; 4] {
    [
        PurgeScope::Path("/app.css".parse().unwrap()),
        PurgeScope::Tenant,
        PurgeScope::Dependency("http://o/app.scss".to_owned()),
        PurgeScope::Path("/other.css".parse().unwrap()),
    ]
}

fn key() -> Key {
    Key {
        fingerprint: CompileOptions::default().fingerprint(),
        tenant_id: "shop-g1".parse().unwrap(),
        path: "/app.css".parse::<AssetPath>().unwrap(),
    }
}

/// A worker between reading and storing.
struct Stalled {
    standing: Option<StoredManifest>,
    manifest: Manifest,
}

struct World {
    store: MemoryStore,
    clocks: [i64; 5],
    now: i64,
    workers: [Option<Stalled>; 3],
    purges: Purges,
    /// When the latest purge was that speaks of the visited file, in real time.
    purged: Option<i64>,
    /// When the sources of each result were read, in real time.
    read: HashMap<Digest, i64>,
}

impl World {
    fn new(clocks: [i64; 5]) -> Self {
        Self {
            store: MemoryStore::default(),
            clocks,
            now: 1_000_000,
            workers: [None, None, None],
            purges: Purges::default(),
            purged: None,
            read: HashMap::new(),
        }
    }

    fn clock(&self, owner: usize) -> Timestamp {
        Timestamp::from_millisecond(self.now + self.clocks[owner]).unwrap()
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Pass { milliseconds } => self.now += milliseconds,
            Step::Read { worker, compiles } => self.read(worker, compiles).await,
            Step::Store { worker } => {
                if let Some(Stalled { standing, manifest }) = self.workers[worker].take() {
                    replace_manifest(&self.store, &key(), standing, manifest).await.unwrap();
                }
            }
            Step::Purge { scope } => {
                let scope = scopes()[scope].clone();
                if scope != scopes()[3] {
                    self.purged = Some(self.now);
                }
                self.purges.add(Purge { scope, at: self.clock(3) });
            }
            Step::Visit => {
                self.visit().await;
            }
        }
    }

    async fn read(&mut self, worker: usize, compiles: bool) {
        let standing = read_manifest(&self.store, &key()).await.unwrap();
        let digest = Digest::of(self.read.len().to_string().as_bytes());
        self.read.insert(digest.clone(), self.now);
        let outcome = if compiles {
            Outcome::Compiled { digest, encodings: Vec::new() }
        } else {
            Outcome::CompileError { message: String::new() }
        };
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            outcome,
            closure: Closure { absent: vec!["http://o/app.scss".to_owned()], ..Closure::default() },
            sources_read_at: self.clock(worker),
            modified_at: None,
            engine: "grass/0".to_owned(),
            job: JobId::random(),
            failures: u32::from(!compiles),
            last_good: None,
        };
        self.workers[worker] = Some(Stalled { standing, manifest });
    }

    async fn visit(&self) -> Verdict {
        let policy = Policy {
            errors: ErrorDisplay::Status,
            max_age: Duration::from_mins(5),
            max_stale: Duration::from_hours(24),
            backoff: Backoff::PRODUCTION,
            purged: self.purges.at_most_of_path(&key().path),
        };
        let stored = read_manifest(&self.store, &key()).await.unwrap().map(|stored| stored.manifest);
        let verdict = policy.judge(stored.as_ref(), self.clock(4));
        let answer = stored.as_ref().map(|stored| policy.judge_answer(stored, self.clock(4)));
        for verdict in [Some(&verdict), answer.as_ref()].into_iter().flatten() {
            if let (Verdict::Serve { good, .. }, Some(purged)) = (verdict, self.purged) {
                let read = self.read[&good.digest];
                assert!(read >= purged, "bytes of {read} ms were served after the purge of {purged} ms");
            }
        }
        verdict
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_visit_after_a_purge_gets_what_was_read_before_it_and_the_next_job_ends_the_wait(
        clocks in clocks(),
        steps in steps(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(clocks);
            for step in steps {
                world.take(step).await;
                world.visit().await;
            }
            world.now += 4_000;
            world.take(Step::Read { worker: 0, compiles: true }).await;
            world.take(Step::Store { worker: 0 }).await;
            assert!(matches!(world.visit().await, Verdict::Serve { .. }), "the wait goes on for ever");
        });
    }
}
