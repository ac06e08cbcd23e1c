//! The identity of one tier's pods: on EKS, the IAM role that they have.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::build_metadata;
use crate::{names::Tier, pipeline::validate::ValidPipeline};

/// Read by EKS's pod identity webhook (IRSA).
const ROLE_ARN_ANNOTATION: &str = "eks.amazonaws.com/role-arn";

pub(super) fn build_service_account(valid: &ValidPipeline, tier: Tier) -> ServiceAccount {
    let role_arn = match tier {
        Tier::Web => &valid.aws.web_role_arn,
        Tier::Worker => &valid.aws.worker_role_arn,
    };
    let mut metadata = build_metadata(valid, tier.child_name(&valid.name), tier.labels(&valid.name));
    metadata.annotations =
        role_arn.as_ref().map(|arn| BTreeMap::from([(ROLE_ARN_ANNOTATION.to_owned(), arn.clone())]));
    // The pods never speak to the API server. IRSA mounts a token of its own.
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..ServiceAccount::default() }
}
