//! Whether a bucket keeps what was overwritten or deleted.

use aws_sdk_s3::{
    Client,
    types::{BucketVersioningStatus, VersioningConfiguration},
};
use crds::BucketVersioning;
use pipeline::Error;

use crate::aws::error::failed;

/// What is to be set. A bucket that never had versions is as good as one in which they are suspended.
pub(super) fn plan_versioning(
    observed: Option<BucketVersioning>,
    wanted: Option<BucketVersioning>,
) -> Option<BucketVersioning> {
    match (wanted?, observed) {
        (BucketVersioning::Enabled, Some(BucketVersioning::Enabled))
        | (BucketVersioning::Suspended, Some(BucketVersioning::Suspended) | None) => None,
        (wanted, _) => Some(wanted),
    }
}

/// `None` where the bucket never had versions.
pub(super) async fn fetch_versioning(client: &Client, name: &str) -> Result<Option<BucketVersioning>, Error> {
    let sent = client.get_bucket_versioning().bucket(name).send().await;
    let answer =
        sent.map_err(|error| failed(&format!("read whether bucket {name} keeps versions"), error))?;
    Ok(answer.status.and_then(|status| match status {
        BucketVersioningStatus::Enabled => Some(BucketVersioning::Enabled),
        BucketVersioningStatus::Suspended => Some(BucketVersioning::Suspended),
        // The enum is open.
        _ => None,
    }))
}

pub(super) async fn set_versioning(
    client: &Client,
    name: &str,
    versioning: BucketVersioning,
) -> Result<(), Error> {
    let status = match versioning {
        BucketVersioning::Enabled => BucketVersioningStatus::Enabled,
        BucketVersioning::Suspended => BucketVersioningStatus::Suspended,
    };
    let configuration = VersioningConfiguration::builder().status(status).build();
    let sent =
        client.put_bucket_versioning().bucket(name).versioning_configuration(configuration).send().await;
    sent.map(drop).map_err(|error| failed(&format!("set whether bucket {name} keeps versions"), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_follow_the_spec_where_it_speaks() {
        let [enabled, suspended] = [BucketVersioning::Enabled, BucketVersioning::Suspended].map(Some);
        for (observed, wanted, planned) in [
            (None, None, None),
            (enabled, None, None),
            (None, enabled, enabled),
            (suspended, enabled, enabled),
            (enabled, enabled, None),
            (None, suspended, None),
            (suspended, suspended, None),
            (enabled, suspended, suspended),
        ] {
            assert_eq!(plan_versioning(observed, wanted), planned, "{observed:?} {wanted:?}");
        }
    }
}
