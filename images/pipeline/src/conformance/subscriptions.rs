//! The contract of [`Subscriptions`].

use crate::{ErrorKind, ports::Subscriptions};

/// Confirms the one subscription that waits with `token`, as `is_confirmed` must see.
pub async fn subscriptions(
    subscriptions: &dyn Subscriptions,
    token: &str,
    mut is_confirmed: impl AsyncFnMut() -> bool,
) {
    let refused = subscriptions.confirm("00unknown00").await.expect_err("confirm with an unknown token");
    assert_eq!(refused.kind, ErrorKind::Invalid, "an unknown token is refused for another reason: {refused}");
    assert!(!is_confirmed().await, "an unknown token confirmed a subscription");
    for _ in 0..2 {
        subscriptions.confirm(token).await.expect("confirm");
        assert!(is_confirmed().await, "the subscription is not confirmed");
    }
}
