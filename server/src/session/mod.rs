//! What the server knows between two messages: the open documents, the workspace folders, the configuration and the
//! suggestions that were offered.
//!
//! One [`Session`] owns all mutable state. Work never holds on to it: it takes a [`DocumentSnapshot`], which is
//! immutable and cheap, and asks again for the newest one before anything is changed. Nothing here waits, reads a disk
//! or knows the types of the protocol.

mod config;
mod document;
pub mod markdown;
mod review;
mod targets;

use std::collections::HashMap;
use std::path::PathBuf;

use url::Url;

use crate::text::PositionEncoding;

pub use config::{
    ApplyConfig, CompletionConfig, Config, FetchPolicy, IndexConfig, LoadTime, ModelConfig, Prepare, Stream,
};
pub use document::{Change, Document, DocumentSnapshot, MAX_PARSED_BYTES, OutOfStep};
pub use review::{PlacedHunk, Review};
pub use targets::{Target, candidates_on_disk, inside, open_targets};

/// A suggestion that an editor extension offered for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What tells it from other offers for the same file.
    pub id: String,
    /// The assistant's text.
    pub suggestion: String,
    /// What the user had asked the assistant for.
    pub instruction: Option<String>,
    /// A short name for menus.
    pub title: Option<String>,
    /// The version of the document that it was made for.
    pub version: Option<i32>,
}

/// How many offers a file keeps; the oldest goes first.
const MAX_OFFERS: usize = 8;

/// The state of one connection to an editor.
#[derive(Debug, Default)]
pub struct Session {
    /// The settings in force.
    pub config: Config,
    /// The unit of columns, settled by `initialize`.
    pub encoding: PositionEncoding,
    /// The workspace folders that are on a disk.
    pub folders: Vec<PathBuf>,
    documents: HashMap<Url, Document>,
    offers: HashMap<Url, Vec<Offer>>,
    /// What applies changed and nobody has decided about yet.
    reviews: HashMap<Url, Review>,
    /// Reviews of edits that are on their way to the editor.
    expected_reviews: HashMap<Url, Review>,
}

impl Session {
    /// Takes a document under the client's care, as its editor has it now.
    pub fn open(&mut self, uri: Url, language_id: &str, version: i32, text: &str) {
        let document = Document::new(uri.clone(), language_id, version, text);
        self.documents.insert(uri, document);
    }

    /// Applies the client's changes to an open document.
    pub fn change(&mut self, uri: &Url, version: i32, changes: &[Change]) -> Result<(), ChangeError> {
        let encoding = self.encoding;
        let document = self.documents.get_mut(uri).ok_or(ChangeError::NotOpen)?;
        document.change(version, changes, encoding)?;
        Ok(())
    }

    /// Forgets a document and what was offered for it. False when it was not open.
    pub fn close(&mut self, uri: &Url) -> bool {
        self.offers.remove(uri);
        self.reviews.remove(uri);
        self.expected_reviews.remove(uri);
        self.documents.remove(uri).is_some()
    }

    /// An edit is on its way to the editor: when the document has the review's text after, the review begins.
    pub fn expect_review(&mut self, uri: Url, review: Review) {
        self.expected_reviews.insert(uri, review);
    }

    /// Puts a review back, because what was decided did not come about.
    pub fn restore_review(&mut self, uri: Url, review: Review) {
        if self.documents.contains_key(&uri) {
            self.reviews.insert(uri, review);
        }
    }

    /// The review of a document, which begins when what was expected has landed and ends when nothing is left of it.
    pub fn review(&mut self, uri: &Url) -> Option<&mut Review> {
        if !self.reviews.contains_key(uri) && !self.expected_reviews.contains_key(uri) {
            return None;
        }
        let now = String::from(&self.documents.get(uri)?.snapshot().rope);
        if self.expected_reviews.get(uri).is_some_and(|review| review.after() == now)
            && let Some(review) = self.expected_reviews.remove(uri)
        {
            self.reviews.insert(uri.clone(), review);
        }
        if self.reviews.get(uri).is_some_and(|review| review.is_over(&now)) {
            self.reviews.remove(uri);
        }
        self.reviews.get_mut(uri)
    }

    /// The document as it is now, if it is open.
    pub fn snapshot(&self, uri: &Url) -> Option<DocumentSnapshot> {
        self.documents.get(uri).map(Document::snapshot)
    }

    /// The document as it was at an earlier version, if that is not too long ago.
    pub fn snapshot_at(&self, uri: &Url, version: i32) -> Option<DocumentSnapshot> {
        self.documents.get(uri).and_then(|document| document.snapshot_at(version))
    }

    /// Why an open document cannot be worked with at the moment.
    pub fn out_of_step(&self, uri: &Url) -> Option<OutOfStep> {
        self.documents.get(uri).and_then(Document::out_of_step)
    }

    /// All open documents as they are now.
    pub fn snapshots(&self) -> Vec<DocumentSnapshot> {
        self.documents.values().map(Document::snapshot).collect()
    }

    /// Keeps a suggestion for a file; one with the same id is replaced, an empty one withdraws it.
    pub fn offer(&mut self, uri: Url, offer: Offer) {
        let offers = self.offers.entry(uri).or_default();
        offers.retain(|other| other.id != offer.id);
        if !offer.suggestion.trim().is_empty() {
            offers.push(offer);
        }
        if offers.len() > MAX_OFFERS {
            offers.remove(0);
        }
    }

    /// The suggestions offered for a file, the oldest first.
    pub fn offers(&self, uri: &Url) -> &[Offer] {
        self.offers.get(uri).map_or(&[], Vec::as_slice)
    }

    /// Forgets an offer, for example because it has landed.
    pub fn withdraw(&mut self, uri: &Url, id: &str) {
        if let Some(offers) = self.offers.get_mut(uri) {
            offers.retain(|offer| offer.id != id);
        }
    }
}

/// Why a change could not be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The document was never opened, or is closed.
    #[error("the editor changed a document that it had not opened; the change is ignored")]
    NotOpen,
    /// The change does not fit the document.
    #[error(transparent)]
    OutOfStep(#[from] OutOfStep),
}
