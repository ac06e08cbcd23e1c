//! The names of the settings that the operator gives to the pods: one place for both sides.

/// The bucket of manifests, bodies and registry.
pub const BUCKET: &str = "ASSETS_BUCKET";
/// The URL of the queue of visits.
pub const QUEUE_URL: &str = "ASSETS_QUEUE_URL";
/// The URL of the queue of refreshes: jobs that nobody waits for.
pub const REFRESH_QUEUE_URL: &str = "ASSETS_REFRESH_QUEUE_URL";
/// The ARN of the topic `work_complete`.
pub const TOPIC_ARN: &str = "ASSETS_TOPIC_ARN";
/// The region of bucket, queues and topic. This one and the following are told to other people's pods only.
pub const REGION: &str = "ASSETS_REGION";
/// The ARN of the bucket.
pub const BUCKET_ARN: &str = "ASSETS_BUCKET_ARN";
/// The ARN of the queue of visits.
pub const QUEUE_ARN: &str = "ASSETS_QUEUE_ARN";
/// The ARN of the queue of refreshes.
pub const REFRESH_QUEUE_ARN: &str = "ASSETS_REFRESH_QUEUE_ARN";
/// The URL of the queue of dead letters.
pub const DEAD_LETTER_QUEUE_URL: &str = "ASSETS_DEAD_LETTER_QUEUE_URL";
/// The ARN of the queue of dead letters.
pub const DEAD_LETTER_QUEUE_ARN: &str = "ASSETS_DEAD_LETTER_QUEUE_ARN";
/// PEM of the certificate authorities that vouch for SNS's signer, in place of the public ones; for emulators.
pub const SNS_CERTIFICATE_AUTHORITY: &str = "ASSETS_SNS_CERTIFICATE_AUTHORITY";
/// Where the signer's certificate is fetched, in place of SNS's own host; for emulators.
pub const SNS_CERTIFICATE_ENDPOINT: &str = "ASSETS_SNS_CERTIFICATE_ENDPOINT";
/// `On` or `Off`: whether pages may listen for changes of their style sheets.
pub const LIVE_RELOAD: &str = "ASSETS_LIVE_RELOAD";
/// Compile options as JSON, see [`crate::options::CompileOptions`].
pub const COMPILE_OPTIONS: &str = "ASSETS_COMPILE_OPTIONS";
/// A file with the keys that sign what pods say to pods: one key a line, the first one signs, all are accepted.
pub const NOTICE_KEY_FILE: &str = "ASSETS_NOTICE_KEY_FILE";
/// DNS name of the headless Service of all web pods; notices go to its members only.
pub const PEERS_HOST: &str = "ASSETS_PEERS_HOST";
/// This pod's own IP address (downward API `status.podIP`).
pub const POD_IP: &str = "ASSETS_POD_IP";
/// Seconds that a visitor is held before 503.
pub const HOLD_SECONDS: &str = "ASSETS_HOLD_SECONDS";
/// Visitors whom one web pod holds at the same time.
pub const MAX_HELD: &str = "ASSETS_MAX_HELD";
/// How many of a hundred of these places one tenant may take.
pub const TENANT_PERCENT: &str = "ASSETS_TENANT_PERCENT";
/// Seconds for which a compiled file is fresh.
pub const MAX_AGE_SECONDS: &str = "ASSETS_MAX_AGE_SECONDS";
/// Seconds after which a stale file is no longer served before it was compiled again.
pub const MAX_STALE_SECONDS: &str = "ASSETS_MAX_STALE_SECONDS";
/// `Show` or `Status`: how compile errors are answered.
pub const ERRORS: &str = "ASSETS_ERRORS";
/// How much one tenant may ask of one web pod, as JSON, see [`crate::rate::RateLimits`].
pub const RATE_LIMITS: &str = "ASSETS_RATE_LIMITS";
/// Comma-separated networks (CIDR) of private addresses that tenants' origins may have.
pub const PRIVATE_NETWORKS: &str = "ASSETS_PRIVATE_NETWORKS";
/// A folder with the headers that tenants' origins are asked with: one file for each host of a tenant.
pub const ORIGIN_CREDENTIALS: &str = "ASSETS_ORIGIN_CREDENTIALS";
/// Jobs that one worker runs at the same time.
pub const CONCURRENCY: &str = "ASSETS_CONCURRENCY";
/// Seconds for which a received message stays invisible unless the worker extends it.
pub const VISIBILITY_SECONDS: &str = "ASSETS_VISIBILITY_SECONDS";
/// `On` or `Off`: whether a worker tells the waiting web pod directly. Off leaves SNS and the re-check.
pub const DIRECT_NOTICES: &str = "ASSETS_DIRECT_NOTICES";
/// `On` or `Off`: whether a web pod re-reads the manifest while it holds visitors. Off leaves the notices.
pub const RECHECK: &str = "ASSETS_RECHECK";

/// Port of the web pods' visitors' listener, which also takes `/work_complete` and answers `/health`.
pub const PUBLIC_PORT: u16 = 8080;
/// Port of the web pods' listener for other pods (`/notice`, `/wait`) and the operator (`/purge`).
pub const INTERNAL_PORT: u16 = 8081;
/// Port of web and worker pods for `/health`, `/ready` and `/metrics`.
pub const OPERATION_PORT: u16 = 8082;
