use git_serve::{Policy, ReceivePolicy, UploadPolicy};

use crate::config::Config;

/// What this server allows and offers.
pub(crate) fn policy(config: &Config, session_id: String) -> Policy {
    Policy {
        session_id: Some(session_id),
        upload: UploadPolicy {
            threads: config.fetch_threads,
            ..UploadPolicy::default()
        },
        receive: ReceivePolicy {
            max_pack_bytes: config.max_push_bytes,
            max_objects: config.max_push_objects,
            max_object_bytes: config.max_object_bytes,
            threads: config.push_threads,
            // What is acknowledged is durable in the storage; quarantine and
            // cache may be lost at any time.
            sync: false,
            ..ReceivePolicy::default()
        },
    }
}
