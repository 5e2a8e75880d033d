//! What a person says an alert was. One label stands on an alert: another one is refused until it is taken back or
//! replaced by name, because what a colleague said may have taught the judge already.

use crate::series::Timestamp;
use crate::store::{CommitError, Store};
use crate::verdict::{Alert, AlertId};

use super::Deed;

/// A label as it is given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewLabel {
    /// True for a true alert, false for a false alarm, none to take the label back.
    pub label: Option<bool>,
    /// Anything to remember about it.
    pub note: Option<String>,
    /// Who says so.
    pub author: Option<String>,
    /// Puts this label in the place of another one that stands.
    pub replaces: bool,
}

/// Why an alert is not labelled.
#[derive(Debug, thiserror::Error)]
pub enum LabelError {
    /// A text is longer than what is kept.
    #[error("{field}: found {found} characters, at most {allowed} are kept")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// Its characters.
        found: usize,
        /// Characters allowed.
        allowed: usize,
    },
    /// The alert carries another label.
    #[error(
        "alert {} already carries the label {}; take that back first (label null, or `kilter label {} none`), or put \
         yours in its place (\"replace\": true, or --replace)", .0.id, standing(.0), .0.id
    )]
    Stands(Box<Alert>),
    /// The store cannot be written.
    #[error("nothing was changed: {0}")]
    Commit(#[from] CommitError),
}

/// The label that stands on an alert, who set it, when and why, in words.
fn standing(alert: &Alert) -> String {
    let label = if alert.label == Some(true) { "\"true alert\"" } else { "\"false alarm\"" };
    let author = alert.labelled_by.as_deref().unwrap_or("somebody who gave no name");
    let at = alert.labelled_at.map(|at| format!(" at {at}")).unwrap_or_default();
    let note = alert.note.as_ref().map(|note| format!(" with the note {note:?}")).unwrap_or_default();
    format!("{label}, set by {author}{at}{note}")
}

impl NewLabel {
    /// Longest note, in characters.
    pub const NOTE_CHARS_MAX: usize = 2_000;
    /// Longest name of an author, in characters.
    pub const AUTHOR_CHARS_MAX: usize = 200;

    fn check(&self) -> Result<(), LabelError> {
        let texts = [("note", &self.note, Self::NOTE_CHARS_MAX), ("author", &self.author, Self::AUTHOR_CHARS_MAX)];
        for (field, text, allowed) in texts {
            let found = text.as_deref().map_or(0, |text| text.chars().count());
            if found > allowed {
                return Err(LabelError::TooLong { field, found, allowed });
            }
        }
        Ok(())
    }

    /// True when the alert already says this: the same label, and no other note.
    fn is_said_by(&self, alert: &Alert) -> bool {
        alert.label == self.label && (self.note.is_none() || self.note == alert.note)
    }
}

/// One statement, so that of two people only the first can label an alert that has no label.
const LABEL: &str = "UPDATE alerts SET label = ?1, label_note = ?2, labelled_by = ?3, labelled_at_ms = ?4 \
    WHERE id = ?5 AND (label IS NULL OR ?1 IS NULL OR ?6)";

impl Store {
    /// A person says what the alert was, or takes that back; `at` is the wall clock. Saying again what is said changes
    /// nothing. The alert as it then is, or none when there is none of that id.
    ///
    /// # Errors
    /// When another label stands, a text is too long, or as [`Store::commit`].
    pub async fn label(&self, id: &AlertId, new: &NewLabel, at: Timestamp) -> Result<Option<Alert>, LabelError> {
        new.check()?;
        let mut writer = self.inner.writer.lock().await;
        let mut conn = self.begin(&mut writer).await?;
        let (author, at) = match new.label {
            Some(_) => (new.author.as_deref().filter(|author| !author.trim().is_empty()), Some(at.as_ms())),
            None => (None, None),
        };
        let done = sqlx::query(LABEL)
            .bind(new.label)
            .bind(new.label.and(new.note.as_deref()))
            .bind(author)
            .bind(at)
            .bind(&id.0)
            .bind(new.replaces)
            .execute(&mut conn)
            .await
            .map_err(CommitError::from)?;
        super::finish(&mut writer.connection, conn).await?;
        drop(writer);
        let Some(alert) = self.alert_now(id).await? else { return Ok(None) };
        if done.rows_affected() > 0 {
            self.tell(Deed::Labelled(alert.clone()));
        } else if !new.is_said_by(&alert) {
            return Err(LabelError::Stands(Box::new(alert)));
        }
        Ok(Some(alert))
    }
}
