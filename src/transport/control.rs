//! The reqwest client for everything that is not measured: detection, `/config`, `/info`, models, uploads.
