"""Every named limit on what comes from outside: frames, pictures, profiles and their parts.

Code that refuses something for its size imports the limit from here, so that one page shows what a peer can make this
process allocate. Limits of the wire are also in shared/wire/WIRE.md, which a test compares with them.
"""

import re

FINGERPRINT_BYTES = 8
"""Bytes of a network's fingerprint, in frames and profiles."""

# --- a frame ----------------------------------------------------------------------------------------------------------

HEADER_BYTES = 56
"""Bytes of the fixed header of a frame of version 1."""
MAX_TENSORS = 6
"""Tensors of one crossing. The limits below that speak of a frame's tensors hold for the sum over all of them."""
MAX_HEADER_BYTES = 40 + 18 * MAX_TENSORS
"""Bytes of the header and table of a frame of version 2."""
MAX_RANK = 4
"""Dimensions of one tensor, without the batch dimension."""
MAX_DIMENSION = 0xFFFF
"""Elements along one dimension; the header has 16 bits for each."""
MAX_ELEMENTS = 1 << 24
"""Elements of one crossing: 64 MiB as float32. VGG-16 at 224x224 has 3.2 million at its widest."""
MAX_SPLIT_POINT_BYTES = 64
"""Bytes of a split point's name in UTF-8."""
MAX_PARAMS_BYTES = 4096
"""Bytes of the codecs' parameters."""
MAX_PAYLOAD_BYTES = 1 << 26
"""Bytes of the payloads: the largest crossing as float32."""
MAX_FRAME_BYTES = MAX_HEADER_BYTES + MAX_SPLIT_POINT_BYTES + MAX_PARAMS_BYTES + MAX_PAYLOAD_BYTES
"""Bytes of a whole frame."""
MAX_CODEC_NAME_BYTES = 64
"""Bytes in UTF-8 of the name of a codec that is not built in; the name travels with the parameters."""

# --- a session --------------------------------------------------------------------------------------------------------

MAX_STREAMS = 64
"""Streams of one session: a camera under a plan each. What is known of one takes 5 kB at most."""
MAX_UNDER_WAY = 1024
"""Frames of one session that have no answer yet, and numbers of frames in one message."""
MAX_QUESTION_BYTES = 256
"""Bytes of what is asked about every frame, such as `top=5`."""
MAX_WORD_BYTES = 64
"""Bytes of the reason of a refusal or of a go-away."""
MAX_REFUSAL_BYTES = 4096
"""Bytes of what a refusal says to a human, and once more of what would be accepted, as JSON."""

# --- a picture --------------------------------------------------------------------------------------------------------

MAX_PICTURE_PIXELS = MAX_ELEMENTS // 3
"""Pixels of a picture, 5.6 million: with three channels it is one tensor. Decoding the largest takes up to 100 MB (as WebP;
55 MB as PNG and JPEG) and 0.3 s of a core (a JPEG of 32 scans), however few bytes it came in."""
MAX_FILE_PIXELS = 25_000_000
"""Pixels of the file of a picture that is the body of a request: phones and cameras take 12 to 24 million. One of more than `MAX_PICTURE_PIXELS`
is decoded at a time; the largest takes up to 500 MB (as WebP; 250 MB as PNG, 400 MB as JPEG) and 1.6 s of a core."""
MAX_JPEG_SCANS = 32
"""Scans of a JPEG. Each costs a pass over the whole picture and may be 12 bytes; progressive files have about ten."""
MAX_SCANNED_PIXELS = 300_000_000
"""Pixels of a JPEG's file times its scans: three seconds of a core at most, as its decoder is run again to see whether it lacks something."""
MAX_PICTURE_EXTRA_BYTES = 1 << 20
"""Bytes of a picture's file beyond four for each of its values: what cameras write beside the picture."""
MAX_PICTURE_PIECES = 1024
"""Segments of a JPEG before its first scan, and chunks of a PNG beyond one for each kilobyte. Pillow takes a few microseconds for each."""
MAX_PNG_TEXT_BYTES = 1 << 16
"""Bytes of a PNG's comments, decompressed. Pillow's own limit lets 64 KiB of them become 64 MiB."""
MAX_PART_HEADER_BYTES = 4096
"""Bytes of what a form says of the file in it, and of what stands around that."""
MAX_ASPECT = 16
"""Longer side of a picture over its shorter side, as far as it is resized; the middle of a longer one is."""

# --- a video ----------------------------------------------------------------------------------------------------------

MAX_CLIENT_VIDEO_STREAMS = 16
"""Videos of one client that a cloud decodes at once; beyond that its own that has waited longest makes room."""
MAX_VIDEO_FRAME_CPU_S = 2.0
"""Seconds of a core that decoding one picture of a video may take before its process is ended. A keyframe of noise of the largest size takes 0.35."""
MAX_VIDEO_FRAME_S = 10.0
"""Seconds in all, on however busy a machine."""
MAX_VIDEO_EXTRA_BYTES = 64 << 20
"""Bytes that the process of a video may take beyond what it begins with, and beyond `MAX_VIDEO_PIXEL_BYTES` for each pixel of its pictures."""
MAX_VIDEO_PIXEL_BYTES = 64
"""Such bytes: a decoder keeps 16 earlier pictures of 1.5 bytes a pixel, and RGB takes a few copies of three."""

# --- a bundle ---------------------------------------------------------------------------------------------------------

MAX_MANIFEST_BYTES = 4 << 20
"""Bytes of bundle.json. A thousand labels and as many split points take 150 kB."""
MAX_BUNDLE_FILE_BYTES = 4 << 30
"""Bytes of any other file of a bundle."""
MAX_GRAPH_BYTES = 128 << 20
"""Bytes of its network.xml, which its reader holds as a tree, several times as large. ResNet-50's is 0.3 MB."""
MAX_LABELS = 100_000
"""Classes of one network."""
MAX_LABELS_BYTES = 16 << 20
"""Bytes of a file of labels."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""In no name: what would forge lines of a log, change a terminal, or show what follows in another order."""
MAX_LABEL_CHARACTERS = 1000
"""Characters of the name of a class."""

# --- a profile --------------------------------------------------------------------------------------------------------

MAX_PROFILE_BYTES = 32 << 20
"""Bytes of one file. ResNet-50's largest, layer4 with a corrector, is under 4 MiB."""
MAX_PROFILE_HEADER_BYTES = 1 << 16
"""Bytes of its safetensors header."""
MAX_LEVELS = 64
"""Magnitudes that a symbol of the codec `calibrated` can have, zero included."""
MAX_GROUPS = 8
"""Groups of channels that the codec `calibrated` codes one after another."""
MAX_CONTEXT_RANK = 256
"""Rank of the prediction that chooses a symbol's class; it is at most the channels that are coded together, too."""
MAX_CORRECTOR_RANK = 512
"""Rank of the matrix that corrects decoded values; it is at most the channels, too."""
MAX_CODING_TABLES = 256
"""Tables of magnitudes, and kinds of symbols in a context: both are numbered in eight bits. A calibration makes 64 and 10."""
MAX_PROFILE_STRINGS_BYTES = 4096
"""Bytes of a profile's strings as JSON. A calibration writes a tenth of that, and `GET /profiles` tells them of every profile."""
MAX_PROFILE_HELD_BYTES = 256 << 20
"""Bytes that a profile takes for as long as it is kept: its file, its arrays, and what is computed of them. One of VGG-16's widest
tensor, by position, takes 120 MB; ResNet-50's largest 40 MB."""
MAX_PROFILE_FRAME_BYTES = 1 << 30
"""Bytes that decoding one frame of a profile takes at most. A calibration's take 70 to 95 for each element, so the largest has 11 million."""
MAX_DECODE_MULTIPLICATIONS = 20_000_000_000
"""Multiply-add operations of decoding one frame of a profile, about a second of a core. A calibration's ranks take a thousand for each
element: so many for the largest tensor that a frame may bring, and a twentieth for ResNet-50's."""
MAX_PROFILES = 32
"""Profiles that a cloud keeps. Edges that share network and split point share a profile: this bounds the split points in use."""
MAX_PROFILES_BYTES = 512 << 20
"""Bytes that all of them take together."""
MAX_CLIENT_PROFILES = 8
"""Profiles that one client has in a cloud; beyond that its own oldest makes room."""
MAX_CLIENT_PROFILE_BYTES = 128 << 20
"""Bytes that they take together, unless it is a single one."""
MAX_CLIENT_BUILDS = 4
"""Profiles of one client that wait to be built at a time."""
MAX_DECODE_S = 2.0
"""Seconds of a core that decoding one frame of a profile may take, measured when the profile is built."""

# --- tails ------------------------------------------------------------------------------------------------------------

MAX_OWN_TAILS = 4
"""Split points of a network that no chain can be cut at, whose tails are compiled on their own as frames ask for them."""
MAX_CLIENT_COMPILATIONS = 6
"""Tails, or chains of all tails, that are compiled for one client in a minute: both chains of a network and all tails of their own at once,
and another one every ten seconds."""

# --- clients ----------------------------------------------------------------------------------------------------------

MAX_AUDITED_CLIENTS = 1024
"""Clients of whom an audit knows how many lines it has written; those that it forgets begin anew, within the limit for all."""
MAX_AUDIT_TEXT = 100
"""Characters of a client's name, or of what it acted upon, in a line of the audit."""
MAX_CLIENT_LABELS = 64
"""Values of the metrics' label `client`; what further clients do is counted together."""

# --- JSON -------------------------------------------------------------------------------------------------------------

MAX_JSON_MARKS = {b"[": 1 << 20, b",": MAX_ELEMENTS, b'"': 1 << 18, b"{": 1 << 18}
"""How often each of these bytes may occur in a JSON body, which is counted before it is parsed. No body of tensors comes near:
it has a list for each row of each channel, a comma for each number, and hardly a key."""
MAX_REPLY_BYTES = 1 << 20
"""Bytes of an answer that an edge reads from its cloud."""
MAX_ANSWER_OVERHEAD_BYTES = 128 << 10
"""Bytes that an answer may take on the wire beside its body, and once more the body's length: status, header fields, what separates
pieces."""
MAX_INTERIM_ANSWERS = 8
"""Answers with a status below 200 that may come before the one to a request."""
MAX_JSON_ANSWER_BYTES = 64 << 20
"""Bytes of the answer to JSON, which holds all outputs of all its tensors as text: three million numbers. A thousand classes for each of
64 tensors are a megabyte."""

# --- the Open Inference Protocol -----------------------------------------------------------------------------------------

MAX_INFERENCE_HEADER_BYTES = 16 << 10
"""Bytes of JSON before binary tensors: it is read on the event loop. One input and one output take 200."""
MAX_INFERENCE_NAME_CHARACTERS = 256
"""Characters of a request's id, and of the name of an input or output."""
MAX_INFERENCE_OUTPUTS = 64
"""Outputs that a request names."""

# --- TLS --------------------------------------------------------------------------------------------------------------

MAX_CERTIFICATES_BYTES = 1 << 20
"""Bytes of a file of certificates. A chain takes a few thousand; all public CAs together 250 kB."""
HANDSHAKE_S = 10.0
"""Seconds for the handshake of a connection; it takes two round trips."""

# --- clients ----------------------------------------------------------------------------------------------------------

MAX_REQUEST_HEADER_BYTES = 16 << 10
"""Bytes of a request's line and header fields."""
MAX_REQUEST_HEADER_FIELDS = 100
"""Header fields of a request. Reading one takes as long however short it is, and 16 KiB would hold four thousand."""
MAX_CLIENTS = 1024
"""Clients that are told apart at once. An account takes about 500 bytes."""
MAX_CLIENT_SCRAPES = 4
"""Readings of `/metrics` that one client may wait for at a time."""
MAX_UNREAD_BYTES = 16 << 20
"""Bytes of answers that may wait for one client to read them; above it the connections with most are closed."""
MAX_ANSWER_STEPS = 32
"""Steps whose times an answer may hold: those of a later cloud are left out by an edge, but not any number of them."""
MAX_TAIL_TIMES = 1 << 16
"""Times of tails that a cloud may give its edges, of all split points and batch sizes together."""
MAX_CLOUDS = 16
"""Clouds that one edge may be given."""

# --- who may come in --------------------------------------------------------------------------------------------------

MAX_TOKEN_FILE_BYTES = 1 << 20
"""Bytes of a file of tokens."""
MAX_TOKENS = 4096
"""Tokens in one file."""
MAX_SESSIONS = 1024
"""Browsers that are logged in at once; of whoever has most, the oldest goes for another."""
MAX_SESSIONS_A_TOKEN = 16
"""The same of one token; its own oldest goes for another."""
MAX_STRANGERS_BODY_BYTES = 1 << 20
"""Bytes of a body that are read and dropped after its sender was refused for who he is: so that who sends a frame with a token that has
just expired reads why, and does not see his connection broken."""
