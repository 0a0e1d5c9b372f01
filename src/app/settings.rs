//! What a person chose for the window itself: theme, zoom, recent files. Kept as JSON by the session.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The theme, or whose word decides it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeChoice {
    #[default]
    System,
    Light,
    Dark,
}

impl ThemeChoice {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    pub fn label(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }
}

/// The window's settings.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Settings {
    pub theme: ThemeChoice,
    /// 1.0 is actual size.
    pub zoom: f32,
    /// Runs and plans, newest first.
    pub recent: Vec<PathBuf>,
    /// Where the demo server was last: a form that was left with it gets the new address.
    pub demo_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::System,
            zoom: 1.0,
            recent: Vec::new(),
            demo_url: None,
        }
    }
}

/// Steps of the zoom.
const ZOOMS: [f32; 9] = [0.5, 0.67, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0];
const MAX_RECENT: usize = 10;

impl Settings {
    /// Reads what [`Self::to_json`] wrote; what cannot be read stands at its default.
    pub fn from_json(json: &serde_json::Value) -> Self {
        let mut settings: Self = serde_json::from_value(json.clone()).unwrap_or_default();
        if !(0.5..=2.0).contains(&settings.zoom) {
            settings.zoom = 1.0;
        }
        settings.recent.truncate(MAX_RECENT);
        settings
    }

    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Puts a file first among the recent ones.
    pub fn add_recent(&mut self, path: &Path) {
        self.recent.retain(|p| p != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MAX_RECENT);
    }

    /// One step larger (1) or smaller (−1).
    pub fn zoom_by(&mut self, direction: i32) {
        let next = if direction > 0 {
            ZOOMS.iter().find(|z| **z > self.zoom + 0.01)
        } else {
            ZOOMS.iter().rev().find(|z| **z < self.zoom - 0.01)
        };
        self.zoom = next.copied().unwrap_or(self.zoom);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_nonsense_gives_the_defaults() {
        let mut settings = Settings::default();
        settings.add_recent(Path::new("a.toml"));
        settings.add_recent(Path::new("b.toml"));
        settings.add_recent(Path::new("a.toml"));
        settings.theme = ThemeChoice::Dark;
        settings.zoom_by(1);
        assert_eq!(Settings::from_json(&settings.to_json()), settings);
        assert_eq!(settings.recent.len(), 2);
        let odd = serde_json::json!({"theme": 3, "zoom": "x"});
        assert_eq!(Settings::from_json(&odd), Settings::default());
        let huge = serde_json::json!({"zoom": 40.0});
        assert!((Settings::from_json(&huge).zoom - 1.0).abs() < 1e-6);
    }

    #[test]
    fn zoom_ends_at_its_ends() {
        let mut settings = Settings::default();
        for _ in 0..20 {
            settings.zoom_by(1);
        }
        assert!((settings.zoom - 2.0).abs() < 1e-6);
        for _ in 0..20 {
            settings.zoom_by(-1);
        }
        assert!((settings.zoom - 0.5).abs() < 1e-6);
    }
}
