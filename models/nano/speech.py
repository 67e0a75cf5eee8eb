"""Speech synthesis for the training and test recordings.

Three free synthesisers: espeak-ng (through its C library, which also tells at
which sample each word begins), flite and festival (through their programs).

Every `say` function returns (samples, rate, starts):
    samples  float32 array, -1 .. 1
    rate     samples per second
    starts   seconds at which each word begins, or None where it is not known
"""
import ctypes
import io
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

ESPEAK_ACCENTS = ("en-us en-us en-us en-gb en-gb en-gb-scotland en-gb-x-rp en-029 "
                  "en-gb-x-gbclan en-us-nyc").split()
ESPEAK_VARIANTS = [""] * 3 + (
    "m1 m2 m3 m4 m6 m7 m8 f1 f2 f3 f5 klatt klatt2 klatt3 Alex Andrea Andy Annie Denis Gene "
    "Gene2 Jacky Lee Marco Mario Michael Mike adam anika antonio aunty belinda benjamin boris "
    "caleb david ed edward edward2 grandma grandpa gustave iven iven2 john linda max michel "
    "miguel pablo paul pedro quincy rob robert sandro shelby steph2 travis victor zac").split()
FLITE_VOICES = ["rms", "slt", "kal16"]
FESTIVAL_VOICES = ["kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts"]

# Voices that are never trained on: accent en-gb-x-gbcwmd, these variants, flite's awb.
HELD_OUT_ACCENTS = ["en-us", "en-gb", "en-gb-x-gbcwmd"]
HELD_OUT_VARIANTS = ["m5", "f4", "klatt4", "steph", "norbert", "Alicia", "Diogo"]
HELD_OUT_FLITE = ["awb"]


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng/speak_lib.h (1.51)."""
    _fields_ = [("type", ctypes.c_int), ("unique_identifier", ctypes.c_uint),
                ("text_position", ctypes.c_int), ("length", ctypes.c_int),
                ("audio_position", ctypes.c_int), ("sample", ctypes.c_int),
                ("user_data", ctypes.c_void_p), ("id", ctypes.c_char * 8)]


class Espeak:
    """espeak-ng as a library; one instance per process."""
    RATE, PITCH, RANGE, WORD_GAP = 1, 3, 4, 7          # espeak_PARAMETER
    WORD_EVENT = 1                                     # espeakEVENT_WORD

    def __init__(self):
        self.lib = ctypes.CDLL("libespeak-ng.so.1")
        # 1 = AUDIO_OUTPUT_RETRIEVAL: samples go to the callback only.
        self.rate = self.lib.espeak_Initialize(1, 0, None, 0)
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int,
                                ctypes.POINTER(_Event))
        self.callback = kind(self._collect)            # kept: C holds the pointer
        self.lib.espeak_SetSynthCallback(self.callback)
        self.chunks, self.words = [], {}

    def _collect(self, samples, count, events):
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events and events[index].type != 0:
            event = events[index]
            if event.type == self.WORD_EVENT:
                self.words[event.text_position - 1] = event.audio_position / 1000
            index += 1
        return 0

    def say(self, text, accent, variant="", rate=175, pitch=50, gap=0):
        """rate: words a minute; pitch 0..100; gap: pause between words, 10 ms."""
        self.chunks, self.words = [], {}
        name = ("en" if accent == "en-gb" else accent) + ("+" + variant if variant else "")
        if self.lib.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError("no espeak-ng voice " + name)
        for parameter, value in ((self.RATE, rate), (self.PITCH, pitch), (self.RANGE, 50),
                                 (self.WORD_GAP, gap)):
            self.lib.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self.lib.espeak_Synth(data, len(data) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        samples = np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)
        starts = fill_gaps([self.words.get(m.start()) for m in re.finditer(r"\S+", text)],
                           len(samples) / self.rate)
        return samples.astype(np.float32) / 32768, self.rate, starts


def fill_gaps(starts, end):
    """Word starts with None for words spoken together with the one before ("in
    the"): spread those evenly. None if the starts are of no use."""
    known = [index for index, start in enumerate(starts) if start is not None]
    if known[:1] != [0]:
        return None
    filled = np.interp(np.arange(len(starts)), known + [len(starts)],
                       [starts[index] for index in known] + [end])
    return list(filled) if (np.diff(filled) >= 0).all() else None


def flite(text, voice, stretch=1.0, pitch=None):
    """stretch: length of the sounds relative to normal; pitch: mean, Hz."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as out:
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:.2f}"]
        if pitch:
            command += ["--setf", f"int_f0_target_mean={pitch}"]
        subprocess.run(command + ["-t", text, "-o", out.name], check=True, capture_output=True)
        samples, rate = soundfile.read(out.name, dtype="float32")
    return samples, rate, None


def festival(items, voice):
    """Many sentences in one process. items: (text, stretch) pairs. Returns a list
    of (samples, rate, starts), None where festival failed."""
    script = [f"(voice_{voice})", """
(define (word-starts utt)
  (mapcar (lambda (w) (format t " %f" (item.feat w "word_start")))
          (utt.relation.items utt 'Word))
  (format t "\\n"))"""]
    with tempfile.TemporaryDirectory() as folder:
        for index, (text, stretch) in enumerate(items):
            script.append(f"(Parameter.set 'Duration_Stretch {stretch:.2f})\n"
                          f"(set! utt (utt.synth (Utterance Text \"{text}\")))\n"
                          f"(utt.save.wave utt \"{folder}/{index}.wav\" 'riff)\n"
                          f"(format t \"#{index}\")\n(word-starts utt)")
        path = os.path.join(folder, "script.scm")
        Path(path).write_text("\n".join(script))
        output = subprocess.run(["festival", "-b", path], capture_output=True, text=True,
                                errors="replace").stdout
        starts = {}
        for line in re.findall(r"#(\d+)((?: [\d.]+)*)", output):
            starts[int(line[0])] = [float(x) for x in line[1].split()]
        results = []
        for index, (text, _) in enumerate(items):
            try:
                data = Path(f"{folder}/{index}.wav").read_bytes()
                samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
            except (OSError, soundfile.SoundFileError):
                results.append(None)
                continue
            known = starts.get(index, [])
            results.append((samples, rate, known if len(known) == len(text.split()) else None))
    return results
