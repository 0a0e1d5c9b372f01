//! Every colour, size and font of the window, once: the tokens of the look as one [`Theme`] value for dark and one for
//! light. No other file names a colour.
//!
//! The series are the Okabe–Ito hues (Okabe and Ito, *Color Universal Design*, 2008), lifted in the dark theme and
//! deepened in the light one until each has 3:1 on its surface. Ramps of five and more stages are interpolated in OKLab
//! (Ottosson, *A perceptual color space for image processing*, 2020).

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one file that names colours"
)]

use std::sync::{Arc, LazyLock};

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Shadow, Stroke, Style,
    TextStyle, Vec2, style::WidgetVisuals,
};

/// The window's colours in one of the two themes.
#[derive(Clone, Debug)]
pub struct Theme {
    pub dark: bool,
    /// Behind cards.
    pub canvas: Color32,
    /// Top bar, rail, form, status bar.
    pub panel: Color32,
    /// Cards, tables, menus (light).
    pub surface: Color32,
    /// Text fields, choices, code, switch track.
    pub field: Color32,
    /// Buttons, chosen switch part, tags, tooltips (dark).
    pub raised: Color32,
    /// A hovered button or row.
    pub hover: Color32,
    /// Between table rows.
    pub line_faint: Color32,
    /// Card and button edges, plot grid, dividers.
    pub line: Color32,
    /// Field edge, plot base line, zero line.
    pub line_strong: Color32,
    /// Values, titles.
    pub text: Color32,
    /// Field labels, second sentence.
    pub secondary: Color32,
    /// Units, captions, ticks, table headers.
    pub muted: Color32,
    /// Disabled only; a reason stands beside it.
    pub disabled: Color32,
    /// Icons, links, focus edge, progress, the now line.
    pub accent: Color32,
    /// Primary button, ticked box.
    pub accent_fill: Color32,
    /// Text on `accent_fill`.
    pub accent_on: Color32,
    /// The chosen rail item, a chip.
    pub accent_soft: Color32,
    /// A selected row of a table, and the one in focus.
    pub accent_row: Color32,
    pub accent_row_focus: Color32,
    /// Valid, met, faster, goal.
    pub ok: Color32,
    /// Caution, missed goal.
    pub caution: Color32,
    /// Invalid, failed, field error. The failures' hue in charts too; never a series.
    pub invalid: Color32,
    /// Blue, orange, green, pink, sky, yellow.
    pub series: [Color32; 6],
    /// Light load cool, heavy load warm.
    pub ramp: [Color32; 7],
    /// Share of a series' colour in a histogram's bars.
    pub fill_histogram: f32,
    /// Share of a stage's colour in its zone over time.
    pub fill_zone: f32,
    /// Share of `ok` in a goal's zone.
    pub fill_goal: f32,
    /// Share of a semantic colour in a banner, of a caution and of an error.
    pub fill_banner: f32,
    pub fill_error: f32,
}

const fn hex(rgb: u32) -> Color32 {
    let [_, r, g, b] = rgb.to_be_bytes();
    Color32::from_rgb(r, g, b)
}

const fn tinted(rgb: u32, percent: u8) -> Color32 {
    let [_, r, g, b] = rgb.to_be_bytes();
    Color32::from_rgba_premultiplied(
        scaled(r, percent),
        scaled(g, percent),
        scaled(b, percent),
        scaled(255, percent),
    )
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share of a byte is a byte"
)]
const fn scaled(channel: u8, percent: u8) -> u8 {
    ((channel as u16 * percent as u16 + 50) / 100) as u8
}

impl Theme {
    pub const DARK: Self = Self {
        dark: true,
        canvas: hex(0x0D1013),
        panel: hex(0x13171B),
        surface: hex(0x171C21),
        field: hex(0x0F1317),
        raised: hex(0x222930),
        hover: hex(0x2B333B),
        line_faint: hex(0x232A31),
        line: hex(0x272F37),
        line_strong: hex(0x5C6771),
        text: hex(0xE7EBEF),
        secondary: hex(0xAAB4BE),
        muted: hex(0x8A95A0),
        disabled: hex(0x66717B),
        accent: hex(0x9DA6FF),
        accent_fill: hex(0x5B62D6),
        accent_on: hex(0xFFFFFF),
        accent_soft: tinted(0x9DA6FF, 14),
        accent_row: tinted(0x9DA6FF, 9),
        accent_row_focus: tinted(0x9DA6FF, 16),
        ok: hex(0x52C796),
        caution: hex(0xF0B64A),
        invalid: hex(0xFF7F6B),
        series: [
            hex(0x3D9BE0),
            hex(0xE69F00),
            hex(0x12B886),
            hex(0xD98BB5),
            hex(0x8CCBF2),
            hex(0xF0E442),
        ],
        ramp: [
            hex(0x4C86D9),
            hex(0x57A6E8),
            hex(0x7FC6E0),
            hex(0xB9CFA8),
            hex(0xE3C05F),
            hex(0xE69F00),
            hex(0xE0741C),
        ],
        fill_histogram: 0.20,
        fill_zone: 0.10,
        fill_goal: 0.08,
        fill_banner: 0.09,
        fill_error: 0.08,
    };

    pub const LIGHT: Self = Self {
        dark: false,
        canvas: hex(0xEDEFF1),
        panel: hex(0xF7F8F9),
        surface: hex(0xFFFFFF),
        field: hex(0xFFFFFF),
        raised: hex(0xEEF0F2),
        hover: hex(0xE4E8EB),
        line_faint: hex(0xE9ECEF),
        line: hex(0xD9DEE3),
        line_strong: hex(0x838D97),
        text: hex(0x14191E),
        secondary: hex(0x46515B),
        muted: hex(0x5C6771),
        disabled: hex(0x98A2AB),
        accent: hex(0x474CC4),
        accent_fill: hex(0x4B50C8),
        accent_on: hex(0xFFFFFF),
        accent_soft: tinted(0x474CC4, 10),
        accent_row: tinted(0x474CC4, 7),
        accent_row_focus: tinted(0x474CC4, 12),
        ok: hex(0x0A7548),
        caution: hex(0x8A5600),
        invalid: hex(0xB3301B),
        series: [
            hex(0x0072B2),
            hex(0xC27F00),
            hex(0x009E73),
            hex(0xB8588F),
            hex(0x2E93CF),
            hex(0x9A8F00),
        ],
        ramp: [
            hex(0x1F5FB5),
            hex(0x2A82C9),
            hex(0x3A9DB5),
            hex(0x6F9A55),
            hex(0xA98A12),
            hex(0xC27400),
            hex(0xB84E0A),
        ],
        fill_histogram: 0.16,
        fill_zone: 0.09,
        fill_goal: 0.07,
        fill_banner: 0.07,
        fill_error: 0.06,
    };

    /// The theme that `ui` is drawn in.
    pub fn of(ui: &egui::Ui) -> &'static Self {
        Self::for_dark(ui.visuals().dark_mode)
    }

    pub fn of_ctx(ctx: &egui::Context) -> &'static Self {
        Self::for_dark(ctx.theme() == egui::Theme::Dark)
    }

    pub fn for_dark(dark: bool) -> &'static Self {
        static DARK: Theme = Theme::DARK;
        static LIGHT: Theme = Theme::LIGHT;
        if dark { &DARK } else { &LIGHT }
    }

    /// The colour of stage `i` of `n`: a hue each up to four, an ordered ramp above.
    pub fn stage(&self, i: usize, n: usize) -> Color32 {
        if n <= 4 {
            return self.series[i % self.series.len()];
        }
        let last = self.ramp.len() - 1;
        let at = i.min(n - 1) as f32 * last as f32 / (n - 1) as f32;
        if n <= self.ramp.len() {
            return self.ramp[whole(at.round()).min(last)];
        }
        let low = whole(at.floor()).min(last - 1);
        mix_oklab(self.ramp[low], self.ramp[low + 1], at - low as f32)
    }

    /// The colour of side A, B, C … of a comparison.
    pub fn side(&self, i: usize) -> Color32 {
        self.series[i % self.series.len()]
    }

    pub fn hairline(&self) -> Stroke {
        Stroke::new(1.0, self.line)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small whole number, made by rounding"
)]
fn whole(x: f32) -> usize {
    x as usize
}

/// Mixes two colours evenly to the eye; `t` from 0 to 1.
fn mix_oklab(a: Color32, b: Color32, t: f32) -> Color32 {
    let (a, b) = (to_oklab(a), to_oklab(b));
    from_oklab([0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t))
}

#[expect(clippy::many_single_char_names, reason = "the paper's names")]
fn to_oklab(color: Color32) -> [f32; 3] {
    let [r, g, b] = [color.r(), color.g(), color.b()].map(linear);
    let l = (0.412_221_47 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn from_oklab([l, a, b]: [f32; 3]) -> Color32 {
    let lms = [
        l + 0.396_337_78 * a + 0.215_803_76 * b,
        l - 0.105_561_346 * a - 0.063_854_17 * b,
        l - 0.089_484_18 * a - 1.291_485_5 * b,
    ]
    .map(|x| x * x * x);
    let rgb = [
        4.076_741_7 * lms[0] - 3.307_711_6 * lms[1] + 0.230_969_94 * lms[2],
        -1.268_438 * lms[0] + 2.609_757_4 * lms[1] - 0.341_319_4 * lms[2],
        -0.004_196_086_3 * lms[0] - 0.703_418_6 * lms[1] + 1.707_614_7 * lms[2],
    ]
    .map(encoded);
    Color32::from_rgb(rgb[0], rgb[1], rgb[2])
}

fn linear(byte: u8) -> f32 {
    let c = f32::from(byte) / 255.0;
    if c <= 0.04045 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn encoded(c: f32) -> u8 {
    let c = c.clamp(0.0, 1.0);
    let c = if c <= 0.003_130_8 {
        c * 12.92
    } else {
        1.055 * c.powf(1.0 / 2.4) - 0.055
    };
    (c * 255.0).round() as u8
}

/// The kinds of text there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Text {
    /// Tile value, headline of the empty view.
    Stat,
    /// Verdict tile.
    Verdict,
    /// Plan and run names, banner headline.
    Title,
    /// Sections and cards.
    Heading,
    /// Buttons, row names.
    Strong,
    /// Fields, cells, sentences.
    Body,
    /// Sentences of the empty view.
    Lead,
    /// Field labels, switches, table headers, status bar.
    Label,
    LabelStrong,
    /// Ticks, footnotes, key hints.
    Caption,
    CaptionStrong,
    /// Addresses, code, file names.
    Mono,
    MonoSmall,
}

static MEDIUM: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("medium".into()));
static SEMIBOLD: LazyLock<FontFamily> = LazyLock::new(|| FontFamily::Name("semibold".into()));
static ICONS: LazyLock<FontFamily> =
    LazyLock::new(|| FontFamily::Name(egui_material_icons::FONT_FAMILY.into()));

impl Text {
    pub fn font(self) -> FontId {
        let regular = FontFamily::Proportional;
        let (size, family) = match self {
            Self::Stat => (22.0, SEMIBOLD.clone()),
            Self::Verdict => (18.0, SEMIBOLD.clone()),
            Self::Title => (15.0, SEMIBOLD.clone()),
            Self::Heading => (13.0, SEMIBOLD.clone()),
            Self::Strong => (13.0, MEDIUM.clone()),
            Self::Body => (13.0, regular),
            Self::Lead => (14.0, regular),
            Self::Label => (12.0, regular),
            Self::LabelStrong => (12.0, MEDIUM.clone()),
            Self::Caption => (11.0, regular),
            Self::CaptionStrong => (11.0, MEDIUM.clone()),
            Self::Mono => (12.0, FontFamily::Monospace),
            Self::MonoSmall => (11.0, FontFamily::Monospace),
        };
        FontId::new(size, family)
    }

    /// As rich text in that font and colour.
    pub fn rich(self, text: impl Into<String>, color: Color32) -> egui::RichText {
        egui::RichText::new(text).font(self.font()).color(color)
    }
}

/// The icons' font at that size.
pub fn icon_font(size: f32) -> FontId {
    FontId::new(size, ICONS.clone())
}

/// Sizes of the frame around the views.
pub mod size {
    pub const TOP_BAR: f32 = 44.0;
    pub const RAIL: f32 = 64.0;
    pub const STATUS_BAR: f32 = 28.0;
    pub const CONTROL: f32 = 28.0;
    pub const FORM_MARGIN: f32 = 16.0;
    /// Below this window width everything gets narrower.
    pub const NARROW: f32 = 1100.0;
    pub const WIDE: f32 = 1600.0;
    /// Below this window width the form folds away.
    pub const FOLDED: f32 = 900.0;

    /// Width of the form in a window of that width.
    pub fn form(window: f32) -> f32 {
        if window < NARROW {
            256.0
        } else if window < WIDE {
            296.0
        } else {
            336.0
        }
    }
}

/// Corner radii.
pub mod radius {
    pub const INNER: u8 = 3;
    pub const CONTROL: u8 = 4;
    pub const CARD: u8 = 6;
    pub const EMPTY: u8 = 8;
}

/// Sets fonts and both styles, once.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    egui_material_icons::initialize(ctx);
    ctx.style_mut_of(egui::Theme::Dark, |style| fill(style, &Theme::DARK));
    ctx.style_mut_of(egui::Theme::Light, |style| fill(style, &Theme::LIGHT));
}

fn plex(bytes: &'static [u8]) -> Arc<FontData> {
    let mut data = FontData::from_static(bytes);
    // Thousands stand apart by U+202F; at the usual half width the gap is lost at size 13.
    data.tweak.thin_space_width = 0.85;
    Arc::new(data)
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let plexes: [(&str, &'static [u8]); 4] = [
        (
            "plex",
            include_bytes!("../../assets/fonts/IBMPlexSans_400Regular.ttf"),
        ),
        (
            "plex-medium",
            include_bytes!("../../assets/fonts/IBMPlexSans_500Medium.ttf"),
        ),
        (
            "plex-semibold",
            include_bytes!("../../assets/fonts/IBMPlexSans_600SemiBold.ttf"),
        ),
        (
            "plex-mono",
            include_bytes!("../../assets/fonts/IBMPlexMono_400Regular.ttf"),
        ),
    ];
    for (name, bytes) in plexes {
        fonts.font_data.insert(name.to_owned(), plex(bytes));
    }
    let fallback = |family: &FontFamily| fonts.families.get(family).cloned().unwrap_or_default();
    let others = fallback(&FontFamily::Proportional);
    let mono_others = fallback(&FontFamily::Monospace);
    let list = |first: &[&str], rest: &[String]| {
        let mut names: Vec<String> = first.iter().map(|name| (*name).to_owned()).collect();
        names.extend_from_slice(rest);
        names
    };
    let families = [
        (FontFamily::Proportional, list(&["plex"], &others)),
        // The mono lacks σ and Δ; the sans has them.
        (
            FontFamily::Monospace,
            list(&["plex-mono", "plex"], &mono_others),
        ),
        (MEDIUM.clone(), list(&["plex-medium"], &others)),
        (SEMIBOLD.clone(), list(&["plex-semibold"], &others)),
    ];
    fonts.families.extend(families);
    fonts
}

fn fill(style: &mut Style, theme: &Theme) {
    style.text_styles = [
        (TextStyle::Small, Text::Caption.font()),
        (TextStyle::Body, Text::Body.font()),
        (TextStyle::Button, Text::Body.font()),
        (TextStyle::Heading, Text::Title.font()),
        (TextStyle::Monospace, Text::Mono.font()),
    ]
    .into();
    style.animation_time = 0.0;
    style.scroll_animation = egui::style::ScrollAnimation::none();
    style.explanation_tooltips = false;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.3;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::splat(8.0);
    spacing.button_padding = Vec2::new(12.0, 4.0);
    spacing.interact_size = Vec2::splat(size::CONTROL);
    spacing.scroll = scroll_style();
    spacing.menu_margin = egui::Margin::same(4);
    spacing.window_margin = egui::Margin::same(24);
    spacing.icon_width = 16.0;
    spacing.tooltip_width = 240.0;
    fill_visuals(&mut style.visuals, theme);
}

/// A thin bar over the contents: it takes no room, so that a page that begins to scroll does not move.
fn scroll_style() -> egui::style::ScrollStyle {
    let mut scroll = egui::style::ScrollStyle::thin();
    scroll.bar_width = 8.0;
    scroll.floating_width = 3.0;
    scroll.floating_allocated_width = 0.0;
    scroll.bar_outer_margin = 2.0;
    scroll.foreground_color = true;
    scroll.dormant_background_opacity = 0.0;
    scroll.active_background_opacity = 0.0;
    scroll.interact_background_opacity = 0.0;
    scroll.dormant_handle_opacity = 0.28;
    scroll.active_handle_opacity = 0.40;
    scroll.interact_handle_opacity = 0.55;
    scroll.fade.strength = 0.0;
    scroll
}

fn fill_visuals(visuals: &mut egui::Visuals, theme: &Theme) {
    // What is off has inks of its own; fading them too would fall under the contrast they need.
    visuals.disabled_alpha = 1.0;
    visuals.override_text_color = Some(theme.text);
    visuals.weak_text_color = Some(theme.muted);
    visuals.panel_fill = theme.panel;
    visuals.window_fill = if theme.dark {
        theme.raised
    } else {
        theme.surface
    };
    visuals.extreme_bg_color = theme.field;
    visuals.text_edit_bg_color = Some(theme.field);
    visuals.faint_bg_color = theme.raised;
    visuals.code_bg_color = theme.field;
    visuals.striped = false;
    visuals.window_stroke = theme.hairline();
    visuals.window_corner_radius = CornerRadius::same(radius::CARD);
    visuals.menu_corner_radius = CornerRadius::same(radius::CARD);
    let shadow = Shadow {
        offset: [0, 3],
        blur: 10,
        spread: 0,
        color: Color32::from_black_alpha(if theme.dark { 89 } else { 23 }),
    };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = shadow;
    visuals.selection.bg_fill = theme.accent.gamma_multiply(0.28);
    visuals.selection.stroke = Stroke::new(1.5, theme.accent);
    visuals.hyperlink_color = theme.accent;
    visuals.warn_fg_color = theme.caution;
    visuals.error_fg_color = theme.invalid;
    visuals.text_cursor.stroke = Stroke::new(1.5, theme.accent);
    visuals.text_cursor.blink = false;
    visuals.button_frame = true;
    // A widget that is off says so in its own colours.
    visuals.disabled_alpha = 1.0;
    let part = |fill: Color32, edge: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, edge),
        corner_radius: CornerRadius::same(radius::CONTROL),
        fg_stroke: Stroke::new(1.0, theme.text),
        expansion: 0.0,
    };
    visuals.widgets.noninteractive = part(theme.surface, theme.line);
    visuals.widgets.inactive = part(theme.raised, theme.line);
    visuals.widgets.hovered = part(theme.hover, theme.line_strong);
    visuals.widgets.active = part(theme.hover, theme.accent);
    visuals.widgets.open = part(theme.hover, theme.line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f32 {
        let [r, g, b] = [color.r(), color.g(), color.b()].map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// WCAG 2 contrast ratio.
    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn tenth(x: f32) -> f32 {
        (x * 10.0).round() / 10.0
    }

    #[test]
    fn the_contrast_table_of_the_look_holds() {
        let rows = |t: &Theme| {
            let grounds = [t.canvas, t.panel, t.surface, t.field, t.raised, t.hover];
            [
                t.text,
                t.secondary,
                t.muted,
                t.accent,
                t.ok,
                t.caution,
                t.invalid,
            ]
            .map(|ink| grounds.map(|ground| tenth(contrast(ink, ground))))
        };
        let dark = [
            [15.9, 15.0, 14.3, 15.6, 12.3, 10.7],
            [9.1, 8.6, 8.2, 8.9, 7.0, 6.1],
            [6.3, 5.9, 5.6, 6.1, 4.8, 4.2],
            [8.5, 8.0, 7.6, 8.3, 6.5, 5.7],
            [9.1, 8.5, 8.1, 8.9, 7.0, 6.1],
            [10.4, 9.9, 9.4, 10.2, 8.1, 7.0],
            [7.7, 7.3, 6.9, 7.6, 6.0, 5.2],
        ];
        let light = [
            [15.3, 16.6, 17.7, 17.7, 15.5, 14.3],
            [7.0, 7.6, 8.1, 8.1, 7.1, 6.6],
            [5.0, 5.4, 5.8, 5.8, 5.1, 4.7],
            [5.9, 6.4, 6.8, 6.8, 5.9, 5.5],
            [5.0, 5.4, 5.8, 5.8, 5.0, 4.7],
            [5.3, 5.8, 6.2, 6.2, 5.4, 5.0],
            [5.4, 5.9, 6.3, 6.3, 5.5, 5.1],
        ];
        for (theme, expected) in [(Theme::DARK, dark), (Theme::LIGHT, light)] {
            for (got, want) in rows(&theme).iter().flatten().zip(expected.iter().flatten()) {
                assert!(
                    (got - want).abs() < 0.11,
                    "dark {}: {got} {want}",
                    theme.dark
                );
            }
        }
    }

    #[test]
    fn series_ramp_edges_and_buttons_can_be_told_from_their_ground() {
        for (theme, least) in [(Theme::DARK, 4.7), (Theme::LIGHT, 3.1)] {
            for color in theme.series.iter().chain(&theme.ramp) {
                assert!(contrast(*color, theme.surface) >= least - 0.05, "{color:?}");
            }
            assert!(contrast(theme.accent_on, theme.accent_fill) >= 4.5);
            assert!(contrast(theme.line_strong, theme.field) >= 3.0);
            assert!(contrast(theme.line_strong, theme.panel) >= 3.0);
        }
    }

    #[test]
    fn stages_take_hues_then_the_ramp_then_a_finer_ramp() {
        let theme = Theme::DARK;
        assert_eq!(theme.stage(1, 3), theme.series[1]);
        let five: Vec<_> = (0..5).map(|i| theme.stage(i, 5)).collect();
        let expected = [0, 2, 3, 5, 6].map(|i| theme.ramp[i]);
        assert_eq!(five, expected);
        let many: Vec<_> = (0..20).map(|i| theme.stage(i, 20)).collect();
        assert_eq!((many[0], many[19]), (theme.ramp[0], theme.ramp[6]));
        for pair in many.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
    }

    #[test]
    fn oklab_there_and_back_is_the_same_colour() {
        for color in Theme::LIGHT.ramp.iter().chain(&Theme::DARK.series) {
            let back = from_oklab(to_oklab(*color));
            for (a, b) in color.to_array().into_iter().zip(back.to_array()) {
                assert!(a.abs_diff(b) <= 1, "{color:?} {back:?}");
            }
        }
    }
}
