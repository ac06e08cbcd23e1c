//! The whole life of a resource by its mode, what stands under its name, and its deletion policy: every cell of the
//! product, as people are told of it.

use anyhow::{Context, Result, ensure};
use crds::BindingMode;
use operator::aws::{Clients, ending::Disposal, mode::State};
use tests::moto::Moto;

use crate::{
    endings::policies,
    modes::prepare,
    stage::{Stage, clients, tags_by_place},
};

/// What is there once the pipeline has come and gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// There never was anything.
    Nothing,
    /// As it was before, to the last tag.
    Untouched,
    /// As it was before, in tags; its settings may be ours.
    GivenBack,
    /// Tagged as released.
    Released,
    Deleted,
}

use End::{Deleted, GivenBack, Nothing, Released, Untouched};

/// For `Retain`, `Delete`, and `Delete` with `DeleteAllObjects`: of a bucket that holds something, and of all else.
type Ends = [(End, End); 3];

const MADE: Ends = [(Released, Released), (Released, Deleted), (Deleted, Deleted)];
const SAME: fn(End) -> Ends = |end| [(end, end); 3];

/// The product of modes, states and policies.
fn table() -> [(BindingMode, [(State, Ends); 7]); 4] {
    use BindingMode::{Adopt, AdoptOrCreate, Create, ReadOnly};
    use State::{AllowedByTag, AllowedByValues, Drifted, Foreign, Missing, Ours};
    let adopting = |missing| {
        [
            (Missing, missing),
            (Ours, MADE),
            (Drifted, MADE),
            (State::Released, MADE),
            (Foreign, SAME(Untouched)),
            (AllowedByTag, SAME(GivenBack)),
            (AllowedByValues, SAME(GivenBack)),
        ]
    };
    [
        (
            Create,
            [
                (Missing, MADE),
                (Ours, MADE),
                (Drifted, MADE),
                (State::Released, MADE),
                (Foreign, SAME(Untouched)),
                (AllowedByTag, SAME(Untouched)),
                (AllowedByValues, SAME(Untouched)),
            ],
        ),
        (Adopt, adopting(SAME(Nothing))),
        (AdoptOrCreate, adopting(MADE)),
        (
            ReadOnly,
            [
                (Missing, SAME(Nothing)),
                (Ours, SAME(Released)),
                (Drifted, SAME(Released)),
                (State::Released, SAME(Untouched)),
                (Foreign, SAME(Untouched)),
                (AllowedByTag, SAME(Untouched)),
                (AllowedByValues, SAME(Untouched)),
            ],
        ),
    ]
}

#[tokio::test]
async fn every_mode_state_and_policy_ends_as_the_table_says() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    let mut cells = 0;
    for (mode, states) in table() {
        for (found, ends) in states {
            for (disposal, end) in
                [Disposal::Retain, Disposal::Delete, Disposal::EmptyAndDelete].into_iter().zip(ends)
            {
                let cell = format!("{mode:?}-{found:?}-{disposal:?}").to_lowercase();
                check_cell(&clients, &cell, (mode, found, disposal), end).await.context(cell)?;
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 4 * 7 * 3);
    Ok(())
}

async fn check_cell(
    clients: &Clients,
    name: &str,
    (mode, found, disposal): (BindingMode, State, Disposal),
    (bucket, others): (End, End),
) -> Result<()> {
    let mut stage = Stage::new(clients, name);
    prepare(&mut stage, mode, found).await?;
    let before = stage.look().await?;
    let spec = stage.spec(&format!("{mode:?}"), &policies(disposal));
    let is_used = stage.settle(&spec).await?.is_ok();
    if is_used && !before.bucket.found().is_some_and(|bucket| bucket.holds_objects) {
        stage.put_object().await?;
    }
    if bucket == Deleted {
        // The emulator would let nobody delete objects under the policy that denies what comes without TLS.
        clients.s3.delete_bucket_policy().bucket(&stage.names.bucket).send().await?;
    }
    stage.release(&spec).await?;
    let after = stage.look().await?;

    let kinds = [
        ("dead letters", others),
        ("visits", others),
        ("refreshes", others),
        ("bucket", bucket),
        ("topic", others),
    ];
    let tags = tags_by_place(&before).into_iter().zip(tags_by_place(&after));
    for ((kind, end), (was, is)) in kinds.into_iter().zip(tags) {
        ensure!(end != Nothing || was.is_none(), "there was something: {kind}, {was:?}");
        ensure!(!matches!(end, Untouched | GivenBack) || was.is_some(), "there was nothing: {kind}");
        let expected = match end {
            Nothing | Deleted => None,
            Untouched | GivenBack => was,
            Released => Some(stage.owner.released_tags()),
        };
        ensure!(is == expected, "{kind} should end as {end:?}, with {expected:?}, and not {is:?}");
    }
    if bucket == Untouched {
        assert_eq!(after, before, "something was written");
    }
    ensure!(matches!(bucket, Nothing | Deleted) || stage.has_object().await?, "the files are gone");
    Ok(())
}
