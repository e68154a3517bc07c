package org.megatron.mobile.detector

private val FITS = mapOf("scale" to PreprocessSpec.Fit.SCALE, "pad" to PreprocessSpec.Fit.PAD)

/** The manifest that [document] is, whose schema version was looked at before; throws [DocumentFault] at its first fault. */
internal fun manifestOf(document: JsonObject): Manifest {
    val source = document.child("source")
    val manifest = Manifest(
        name = document.text("name"),
        created = document.text("created"),
        trained = document.flag("trained"),
        depthTrained = document.flag("depth_trained"),
        source = Source(
            source.textOrNull("run"), source.text("recipe"), source.text("weights_sha256"), source.text("code_version"),
        ),
        preprocess = preprocessOf(document.child("preprocess")),
        decision = decisionOf(document.child("decision")),
        methods = document.children("methods").map(::methodOf),
        metrics = document.childOrNull("metrics")?.objects()?.mapValues { (_, model) ->
            model.objects().mapValues { (_, split) -> split.figures() }
        },
        preferred = document.textOrNull("preferred"),
        artifacts = document.children("artifacts").map(::artifactOf),
        golden = document.textOrNull("golden")?.also { if (leaves(it)) document.fail("golden", "a path inside the folder") },
        goldenSha256 = document.textOrNull("golden_sha256"),
    )
    checkMethods(manifest)
    return manifest
}

private fun preprocessOf(spec: JsonObject) = PreprocessSpec(
    size = spec.within("size", 32..1024).also { if (it % 32 != 0) spec.fail("size", "a multiple of 32") },
    margin = spec.within("margin", 1.0..3.0),
    padding = spec.within("padding", 0..255),
    fit = spec.one("fit", FITS),
)

private fun decisionOf(decision: JsonObject): Decision {
    decision.one("aggregation", mapOf("mean_logits" to Unit))
    decision.one("positive_class", mapOf("fake" to Unit))
    if (decision.whole("positive_index") != 1L) decision.fail("positive_index", "1")
    return Decision(
        frameRate = decision.within("frame_rate", Double.MIN_VALUE..240.0),
        hop = decision.within("hop", 1..WINDOW),
        minCoverage = decision.within("min_coverage", Double.MIN_VALUE..1.0),
        temperature = decision.within("temperature", Double.MIN_VALUE..Double.MAX_VALUE),
        threshold = decision.within("threshold", 0.0..1.0),
    )
}

private fun methodOf(method: JsonObject) =
    MethodSpec(method.text("name"), method.children("inputs").map(::tensorOf), method.children("outputs").map(::tensorOf))

private fun tensorOf(tensor: JsonObject): TensorSpec {
    tensor.one("dtype", mapOf("float32" to Unit))
    val range = tensor.numbersOrNull("range")
    if (range != null && range.size != 2) tensor.fail("range", "a pair of numbers")
    return TensorSpec(tensor.text("name"), tensor.numbers("shape").map(Double::toInt), range?.let { it[0]..it[1] })
}

private fun artifactOf(row: JsonObject) = ArtifactRow(
    path = row.text("path").also { if (leaves(it)) row.fail("path", "a path inside the folder") },
    target = row.text("target"),
    backend = row.text("backend"),
    precision = row.text("precision"),
    methods = row.texts("methods"),
    sha256 = row.text("sha256"),
    sizeBytes = row.whole("size_bytes"),
    runtimeName = row.child("runtime").text("name"),
    runtimeVersion = row.child("runtime").text("version"),
    parity = row.childOrNull("parity")?.let {
        Parity(it.whole("cases").toInt(), it.number("max_abs"), it.number("cosine"), it.numberOrNull("agreement"))
    },
    accuracy = row.childOrNull("accuracy")?.let { Accuracy(it.numberOrNull("auc"), it.number("agreement")) },
    verified = row.text("verified"),
)

/** The detector relies on these; methods beyond them may be there. */
private fun checkMethods(manifest: Manifest) {
    val size = manifest.preprocess.size
    val encode = manifest.method("encode") ?: throw DocumentFault("$.methods: \"encode\" is missing")
    val classify = manifest.method("classify") ?: throw DocumentFault("$.methods: \"classify\" is missing")
    val width = encode.outputs.firstOrNull { it.name == "rgb_embedding" }?.shape?.lastOrNull()
        ?: throw DocumentFault("$.methods: \"encode\" gives no rgb_embedding")
    val shapes = listOf(listOf(1, 3, size, size)) to
        listOf(listOf(1, WINDOW, width), listOf(1, WINDOW, width), listOf(1, WINDOW), listOf(1, WINDOW))
    if (encode.inputs.map { it.shape } != shapes.first || classify.inputs.map { it.shape } != shapes.second) {
        throw DocumentFault("$.methods: their inputs are not those of the contract")
    }
}

private fun JsonObject.within(name: String, range: ClosedFloatingPointRange<Double>): Double {
    val value = number(name)
    if (value !in range) fail(name, "a number from ${range.start} to ${range.endInclusive}")
    return value
}

private fun JsonObject.within(name: String, range: IntRange): Int {
    val value = whole(name)
    if (value !in range.first.toLong()..range.last.toLong()) fail(name, "a whole number in $range")
    return value.toInt()
}

/** Whether [path], which should be relative and with forward slashes, leaves the folder that names it. */
private fun leaves(path: String): Boolean =
    path.isEmpty() || path.startsWith("/") || '\\' in path || ".." in path.split('/') || path.split('/').all { it in ".." }
