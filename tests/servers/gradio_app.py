"""A Gradio app for the tests against real servers; works on 6.31, 5.50 and 4.44. PORT says where."""
import os
import time

import gradio as gr


def echo(text):
    return text


def chat(system, message, delay):
    """Streams the message's words backwards, each yield the whole text so far."""
    out = ""
    for word in f"[{system}] {' '.join(reversed(message.split()))}".split(" "):
        time.sleep(float(delay))
        out += word + " "
        yield out


def count(text, state):
    state = (state or 0) + 1
    return f"{text}:{state}", state


def image_size(image):
    return "none" if image is None else f"{image.size[0]}x{image.size[1]}"


def fail(text):
    raise gr.Error(f"bad thing: {text}")


def fail_midstream(n):
    for i in range(int(n)):
        time.sleep(0.02)
        yield f"tok{i}"
    raise gr.Error("died mid stream")


def slow(secs):
    time.sleep(float(secs))
    return f"slept {secs}"


with gr.Blocks(title="inferometer test app") as demo:
    text, system, out = gr.Textbox(label="Text"), gr.Textbox(label="System"), gr.Textbox(label="Out")
    delay = gr.Slider(0, 1, value=0.05, step=0.01, label="Delay")
    number = gr.Number(label="N", value=3)
    image = gr.Image(type="pil", label="Image")
    state = gr.State(0)
    gr.Button("echo").click(echo, [text], [out], api_name="echo", concurrency_limit=None)
    gr.Button("chat").click(chat, [system, text, delay], [out], api_name="chat", concurrency_limit=4)
    gr.Button("count").click(count, [text, state], [out, state], api_name="count")
    gr.Button("image").click(image_size, [image], [out], api_name="image_size")
    gr.Button("fail").click(fail, [text], [out], api_name="fail")
    gr.Button("failm").click(fail_midstream, [number], [out], api_name="fail_midstream")
    gr.Button("slow").click(slow, [number], [out], api_name="slow", concurrency_limit=1)

demo.queue(default_concurrency_limit=2, max_size=int(os.environ.get("MAXQ", "4")))
if __name__ == "__main__":
    extra = {"ssr_mode": False} if int(gr.__version__.split(".")[0]) >= 5 else {}
    demo.launch(server_name="127.0.0.1", server_port=int(os.environ["PORT"]), show_error=True, **extra)
