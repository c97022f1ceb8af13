"""A part of ggml's test-backend-ops that is quick wherever it runs."""

SAMPLES = (  # op and parameters; without these the lists take half an hour on two cores
    ("ADD", r"nr=\[1,1,1,1\]|nf=16"),
    ("MUL_MAT", r"type_a=(f32|f16|q8_0|q4_K|iq2_xxs),type_b=f32,m=16,n=(1|8|16),k=256,"),
    ("ROPE", r"type=f32,ne_a=\[128,(32|40),2,1\],.*v=0"),
    ("SOFT_MAX", r"ne=\[(16,16|32,2),32,1\]"),
    ("GET_ROWS", r"type=(f32|q4_0|q8_0|i32),n=256,m=80000|n=256,m=5"),
    ("SET_ROWS", r"type_dst=(f32|q8_0|f16),type_idx=i64"),
    ("FLASH_ATTN_EXT", r"hsk=64,hsv=64,.*kv=113,nb=3,mask=1,.*type_K=(f16|q8_0)"),
)
