//! What the pods may do: web pods read files and registry and send jobs, workers take jobs and store files.
//!
//! Neither role changes a resource's settings, web pods store nothing, and workers never see the registry.

use crds::AssetPipelineSpec;
use pipeline::{
    key::{ATTEMPTS_PREFIX, BODIES_PREFIX, MANIFESTS_PREFIX},
    purge::PIPELINE_PURGE_OBJECT,
    tenant::REGISTRY_PREFIX,
};

use super::{Arns, DECRYPT, ENCRYPT, Grant, Statement, grant, use_key};

/// Bound to no prefix: where an object is absent S3 looks for this right, and that request has no prefix.
const TELL_ABSENCE: &[Grant] =
    &[grant("s3:ListBucket", "without it S3 answers 403 and not 404 for an object that is absent")];

const READ_FILES: &[Grant] =
    &[grant("s3:GetObject", "manifests and bodies are served, and tenants and purges looked up")];
const SEND_JOBS: &[Grant] = &[grant("sqs:SendMessage", "a miss sends a job, and a stale hit a refresh")];
const CONFIRM_SUBSCRIPTION: &[Grant] = &[grant(
    "sns:ConfirmSubscription",
    "the endpoint's subscription is confirmed through the API; the URL in SNS's message is never asked",
)];

const READ_BY_KEY: &[Grant] = &[DECRYPT];

pub(super) fn build_web_statements(spec: &AssetPipelineSpec, arns: &Arns) -> Vec<Statement> {
    let read = [MANIFESTS_PREFIX, BODIES_PREFIX, REGISTRY_PREFIX, PIPELINE_PURGE_OBJECT];
    let mut statements = vec![
        Statement::new("ReadFiles", READ_FILES, arns.objects(read)),
        Statement::new("TellAbsence", TELL_ABSENCE, arns.bucket()),
        Statement::new("SendJobs", SEND_JOBS, arns.job_queues()),
    ];
    if spec.notifications.endpoint.is_some() {
        statements.push(Statement::new("ConfirmSubscription", CONFIRM_SUBSCRIPTION, arns.topic()));
    }
    statements.extend(use_key(spec, READ_BY_KEY));
    statements
}

const STORE_FILES: &[Grant] = &[
    grant("s3:GetObject", "a manifest is replaced only where it is the one that was read"),
    grant("s3:PutObject", "manifests, bodies and counts of attempts are stored"),
];
const FORGET_ATTEMPTS: &[Grant] =
    &[grant("s3:DeleteObject", "once a key's job has an outcome, its attempts count no more")];
const TAKE_JOBS: &[Grant] = &[
    grant("sqs:ReceiveMessage", "jobs are taken"),
    grant("sqs:ChangeMessageVisibility", "jobs under way stay invisible, and others are handed back"),
    grant("sqs:DeleteMessage", "a job with an outcome is done"),
];
const TELL: &[Grant] = &[grant("sns:Publish", "a notice tells that a manifest was written")];

const STORE_BY_KEY: &[Grant] = &[DECRYPT, ENCRYPT];

pub(super) fn build_worker_statements(spec: &AssetPipelineSpec, arns: &Arns) -> Vec<Statement> {
    let stored = [MANIFESTS_PREFIX, BODIES_PREFIX, ATTEMPTS_PREFIX];
    let statements = [
        Statement::new("StoreFiles", STORE_FILES, arns.objects(stored)),
        Statement::new("ForgetAttempts", FORGET_ATTEMPTS, arns.objects([ATTEMPTS_PREFIX])),
        Statement::new("TellAbsence", TELL_ABSENCE, arns.bucket()),
        Statement::new("TakeJobs", TAKE_JOBS, arns.job_queues()),
        Statement::new("Tell", TELL, arns.topic()),
    ];
    statements.into_iter().chain(use_key(spec, STORE_BY_KEY)).collect()
}
