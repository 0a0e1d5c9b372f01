//! Draws a frame without a display: egui's own triangles, filled on the CPU. Blends as egui's shaders do (in gamma
//! space, premultiplied), so that a picture of a test shows what the window shows.

use std::collections::HashMap;
use std::path::Path;

use egui::epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex};
use egui::{Color32, Context, FullOutput, RawInput, Rect, TextureId, Ui, Vec2, pos2};

/// A window without a window.
pub(crate) struct Screen {
    pub ctx: Context,
    size: Vec2,
    time: f64,
    pointer: Option<egui::Pos2>,
    events: Vec<egui::Event>,
    textures: HashMap<TextureId, egui::ColorImage>,
    last: Option<FullOutput>,
}

impl Screen {
    pub(crate) fn new(size: Vec2, dark: bool) -> Self {
        let ctx = Context::default();
        inferometer::app::theme::install(&ctx);
        ctx.set_theme(if dark {
            egui::Theme::Dark
        } else {
            egui::Theme::Light
        });
        Self {
            ctx,
            size,
            time: 0.0,
            pointer: None,
            events: Vec::new(),
            textures: HashMap::new(),
            last: None,
        }
    }

    pub(crate) fn point_at(&mut self, x: f32, y: f32) {
        self.pointer = Some(pos2(x, y));
    }

    pub(crate) fn click_at(&mut self, x: f32, y: f32) {
        self.point_at(x, y);
        for pressed in [true, false] {
            self.events.push(egui::Event::PointerButton {
                pos: pos2(x, y),
                button: egui::PointerButton::Primary,
                pressed,
                modifiers: egui::Modifiers::NONE,
            });
        }
    }

    pub(crate) fn scroll(&mut self, points: f32) {
        self.events.push(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, points),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
            modifiers: egui::Modifiers::NONE,
        });
    }

    /// Runs one frame, and says how soon the next is wanted.
    pub(crate) fn frame(&mut self, draw: &mut dyn FnMut(&mut Ui)) -> std::time::Duration {
        self.time += 1.0 / 60.0;
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, self.size)),
            time: Some(self.time),
            focused: true,
            ..RawInput::default()
        };
        if let Some(pointer) = self.pointer {
            input.events.push(egui::Event::PointerMoved(pointer));
        }
        input.events.append(&mut self.events);
        let mut output = self.ctx.run_ui(input, |ui| draw(ui));
        let mut deltas: Vec<_> = std::mem::take(&mut output.textures_delta.set)
            .into_iter()
            .collect();
        deltas.sort_by_key(|(id, _)| *id);
        for (id, deltas) in deltas {
            for delta in &deltas {
                self.update(id, delta);
            }
        }
        let root = output.viewport_output.get(&egui::ViewportId::ROOT);
        let delay = root.map_or(std::time::Duration::MAX, |v| v.repaint_delay);
        self.last = Some(output);
        delay
    }

    fn update(&mut self, id: TextureId, delta: &egui::epaint::ImageDelta) {
        let ImageData::Color(image) = &delta.image;
        let Some([x, y]) = delta.pos else {
            self.textures.insert(id, (**image).clone());
            return;
        };
        let whole = self.textures.get_mut(&id).unwrap();
        for row in 0..image.size[1] {
            let to = (y + row) * whole.size[0] + x;
            let from = row * image.size[0];
            whole.pixels[to..to + image.size[0]]
                .copy_from_slice(&image.pixels[from..from + image.size[0]]);
        }
    }

    /// Writes the last frame as a picture.
    pub(crate) fn save(&self, path: &Path) {
        let output = self.last.as_ref().unwrap();
        let primitives = self.ctx.tessellate(output.shapes.clone(), 1.0);
        let mut canvas = Canvas::new(self.size);
        for ClippedPrimitive {
            clip_rect,
            primitive,
        } in &primitives
        {
            if let Primitive::Mesh(mesh) = primitive
                && let Some(texture) = self.textures.get(&mesh.texture_id)
            {
                canvas.mesh(mesh, *clip_rect, texture);
            }
        }
        canvas.save(path);
    }
}

struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "corners and places in pixels of a small picture"
)]
impl Canvas {
    fn new(size: Vec2) -> Self {
        let (width, height) = (size.x as usize, size.y as usize);
        Self {
            width,
            height,
            pixels: vec![[0.0; 3]; width * height],
        }
    }

    fn mesh(&mut self, mesh: &Mesh, clip: Rect, texture: &egui::ColorImage) {
        for corners in mesh.indices.chunks_exact(3) {
            let [a, b, c] = [0, 1, 2].map(|i| &mesh.vertices[corners[i] as usize]);
            self.triangle([a, b, c], clip, texture);
        }
    }

    fn triangle(
        &mut self,
        [a, mut b, mut c]: [&Vertex; 3],
        clip: Rect,
        texture: &egui::ColorImage,
    ) {
        let cross = |p: egui::Pos2, q: egui::Pos2, x: f32, y: f32| {
            (q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x)
        };
        let mut area = cross(a.pos, b.pos, c.pos.x, c.pos.y);
        if area < 0.0 {
            std::mem::swap(&mut b, &mut c);
            area = -area;
        }
        if area < 1e-6 {
            return;
        }
        let bounds = Rect::from_points(&[a.pos, b.pos, c.pos]).intersect(clip);
        let x0 = bounds.left().floor().max(0.0) as usize;
        let y0 = bounds.top().floor().max(0.0) as usize;
        let x1 = (bounds.right().ceil().max(0.0) as usize).min(self.width);
        let y1 = (bounds.bottom().ceil().max(0.0) as usize).min(self.height);
        // The pixels on an edge that two triangles share belong to one of them.
        let owns = |p: egui::Pos2, q: egui::Pos2, w: f32| {
            let (dx, dy) = (q.x - p.x, q.y - p.y);
            w > 0.0 || (w == 0.0 && (dy < 0.0 || (dy == 0.0 && dx > 0.0)))
        };
        for y in y0..y1 {
            for x in x0..x1 {
                let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
                if !clip.contains(pos2(px, py)) {
                    continue;
                }
                let wa = cross(b.pos, c.pos, px, py);
                let wb = cross(c.pos, a.pos, px, py);
                let wc = cross(a.pos, b.pos, px, py);
                if !(owns(b.pos, c.pos, wa) && owns(c.pos, a.pos, wb) && owns(a.pos, b.pos, wc)) {
                    continue;
                }
                let (wa, wb, wc) = (wa / area, wb / area, wc / area);
                let u = wa * a.uv.x + wb * b.uv.x + wc * c.uv.x;
                let v = wa * a.uv.y + wb * b.uv.y + wc * c.uv.y;
                let texel = sample(texture, u, v);
                let tint = |i: usize| {
                    let of = |vertex: &Vertex| f32::from(vertex.color.to_array()[i]) / 255.0;
                    wa * of(a) + wb * of(b) + wc * of(c)
                };
                let alpha = texel[3] * tint(3);
                let pixel = &mut self.pixels[y * self.width + x];
                for (i, channel) in pixel.iter_mut().enumerate() {
                    *channel = texel[i] * tint(i) + *channel * (1.0 - alpha);
                }
            }
        }
    }

    fn save(&self, path: &Path) {
        let bytes: Vec<u8> = self
            .pixels
            .iter()
            .flat_map(|p| p.map(|c| (c.clamp(0.0, 1.0) * 255.0).round() as u8))
            .collect();
        let (width, height) = (self.width as u32, self.height as u32);
        image::save_buffer(path, &bytes, width, height, image::ColorType::Rgb8).unwrap();
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::many_single_char_names,
    reason = "places inside the texture"
)]
fn sample(texture: &egui::ColorImage, u: f32, v: f32) -> [f32; 4] {
    let [w, h] = texture.size;
    let x = (u * w as f32 - 0.5).clamp(0.0, w as f32 - 1.0);
    let y = (v * h as f32 - 0.5).clamp(0.0, h as f32 - 1.0);
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = (x.fract(), y.fract());
    let at = |x: usize, y: usize| -> Color32 { texture.pixels[y * w + x] };
    let corners = [at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1)];
    [0, 1, 2, 3].map(|i| {
        let c = corners.map(|c| f32::from(c.to_array()[i]) / 255.0);
        let top = c[0] + (c[1] - c[0]) * fx;
        let low = c[2] + (c[3] - c[2]) * fx;
        top + (low - top) * fy
    })
}
