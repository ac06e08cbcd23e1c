//! The ports without any cloud: in memory and on disk, for laptops and tests.

mod disk_store;
mod memory_notifier;
mod memory_queue;
mod memory_store;
mod memory_subscriptions;
mod single_tenant;

pub use disk_store::DiskStore;
pub use memory_notifier::MemoryNotifier;
pub use memory_queue::MemoryQueue;
pub use memory_store::MemoryStore;
pub use memory_subscriptions::MemorySubscriptions;
pub use single_tenant::SingleTenant;
