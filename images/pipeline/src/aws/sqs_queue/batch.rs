//! Calls about several messages at once, each of which may fail for some of them.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use aws_sdk_sqs::{
    error::{ProvideErrorMetadata, SdkError},
    types::{
        BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    },
};

use super::{SqsQueue, whole_seconds};
use crate::{
    Error, ErrorKind,
    aws::error::failed,
    ports::{NotDone, Receipt},
};

/// Why an entry's builder cannot fail.
const COMPLETE: &str = "an entry's number and receipt are all that it must have";

/// What a call about all of them answered.
type Answer<E> = Result<Vec<BatchResultErrorEntry>, SdkError<E>>;

impl SqsQueue {
    pub(super) async fn delete_batch(&self, receipts: &[Receipt]) -> Result<(), Vec<NotDone>> {
        let entries = receipts.iter().enumerate().map(|(number, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder();
            entry.id(number.to_string()).receipt_handle(&receipt.0).build().expect(COMPLETE)
        });
        let delete = self.client.delete_message_batch().queue_url(&*self.url);
        let answer = delete.set_entries(Some(entries.collect())).send().await;
        self.name_failures("delete from", receipts.iter().collect(), answer.map(|answer| answer.failed))
    }

    pub(super) async fn change_batch(&self, changes: &[(Receipt, Duration)]) -> Result<(), Vec<NotDone>> {
        let entries = changes.iter().enumerate().map(|(number, (receipt, visibility))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder();
            let entry = entry.id(number.to_string()).receipt_handle(&receipt.0);
            entry.visibility_timeout(whole_seconds(*visibility)).build().expect(COMPLETE)
        });
        let change = self.client.change_message_visibility_batch().queue_url(&*self.url);
        let answer = change.set_entries(Some(entries.collect())).send().await;
        let receipts = changes.iter().map(|(receipt, _)| receipt).collect();
        self.name_failures("change visibility in", receipts, answer.map(|answer| answer.failed))
    }

    /// Entries are named by their numbers.
    fn name_failures<E>(
        &self,
        what: &str,
        receipts: Vec<&Receipt>,
        answer: Answer<E>,
    ) -> Result<(), Vec<NotDone>>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let not_done: Vec<_> = match answer {
            Ok(entries) => {
                let failed = entries.into_iter().filter(|entry| !is_late(entry)).filter_map(|entry| {
                    let receipt: &Receipt = receipts.get(entry.id.parse::<usize>().ok()?)?;
                    Some(NotDone { receipt: receipt.clone(), error: self.entry_error(what, &entry) })
                });
                failed.collect()
            }
            Err(error) => {
                let shared = Arc::new(failed(self.attempted(what), error));
                let each = |receipt: &Receipt| NotDone {
                    receipt: receipt.clone(),
                    error: Error::of_shared(shared.clone(), self.attempted(what)),
                };
                receipts.into_iter().map(each).collect()
            }
        };
        if not_done.is_empty() { Ok(()) } else { Err(not_done) }
    }

    fn entry_error(&self, what: &str, entry: &BatchResultErrorEntry) -> Error {
        let kind = if entry.sender_fault { ErrorKind::Invalid } else { ErrorKind::Unavailable };
        let why = format!("{}: {}", entry.code, entry.message().unwrap_or_default());
        Error::new(kind, self.attempted(what)).with_source(why)
    }
}

/// Whether the call came after the message was deleted or delivered again, which the contract forgives.
fn is_late(entry: &BatchResultErrorEntry) -> bool {
    match entry.code.as_str() {
        "ReceiptHandleIsInvalid" | "MessageNotInflight" | "AWS.SimpleQueueService.MessageNotInflight" => true,
        // The same code tells of a visibility that is out of range, which is a mistake.
        "InvalidParameterValue" => entry.message().unwrap_or_default().contains("ReceiptHandle"),
        _ => false,
    }
}
