//! Every atom that the wire's formats need. Input never makes one.

rustler::atoms! {
    ok,
    error,
    nil,
    true_ = "true",
    false_ = "false",
    nan,
    infinity,
    neg_infinity,
    over_budget,
    struct_key = "__struct__",

    // Terms of some formats only.
    blob,
    ext,
    tag,

    // Formats.
    json,
    msgpack,
    cbor,
    postcard,
    etf,
    godot_variant,

    // Reasons.
    bytes,
    count,
    duplicate_key,
    float_range,
    integer_range,
    internal,
    key,
    not_finite,
    not_in_format,
    not_text,
    not_utf8,
    refused,
    syntax,
    too_deep,
    too_large,
    too_many,
    truncated,
    unknown_type,
    unsupported,
}
