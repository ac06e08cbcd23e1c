//! The ports on AWS. The only place of the data plane that names an SDK type.
