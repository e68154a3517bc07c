package org.megatron.mobile.detector

/** The manifest versions that this app reads. */
const val SCHEMA_VERSION = 1

/** The file in an artefact folder that describes it. */
const val MANIFEST_FILE = "manifest.json"

/** T: the slots of a window, oldest first. */
const val WINDOW = 20

/** `manifest.json`: what a folder of artefacts holds. Field by field the document of docs/manifest.schema.json. */
data class Manifest(
    val name: String,
    val created: String,
    val trained: Boolean,
    val depthTrained: Boolean,
    val source: Source,
    val preprocess: PreprocessSpec,
    val decision: Decision,
    val methods: List<MethodSpec>,
    /** `metrics.json` of the run: model ("student") to split ("test") to figure; null untrained. */
    val metrics: Map<String, Map<String, Map<String, Double?>>>?,
    val preferred: String?,
    val artifacts: List<ArtifactRow>,
    val golden: String?,
    val goldenSha256: String?,
) {
    /** The row of that path, null where none is listed. */
    fun artifact(path: String): ArtifactRow? = artifacts.firstOrNull { it.path == path }

    /** The specification of that method, null where none is listed. */
    fun method(name: String): MethodSpec? = methods.firstOrNull { it.name == name }

    /** D: values in an embedding. */
    val embeddingSize: Int get() = method("encode")!!.outputs.first { it.name == "rgb_embedding" }.shape.last()
}

/** Where the weights came from. */
data class Source(val run: String?, val recipe: String, val weightsSha256: String, val codeVersion: String)

/** How a face becomes a model's input: a square around the box, never stretched. [size] is its side S in px. */
data class PreprocessSpec(val size: Int, val margin: Double, val padding: Int, val fit: Fit) {
    enum class Fit { SCALE, PAD }
}

data class TensorSpec(val name: String, val shape: List<Int>, val range: ClosedFloatingPointRange<Double>?) {
    val elements: Int get() = shape.fold(1, Int::times)
}

data class MethodSpec(val name: String, val inputs: List<TensorSpec>, val outputs: List<TensorSpec>)

/** One program: [path] is relative to the manifest, [sha256] of a folder is over its sorted "path sha256" lines. */
data class ArtifactRow(
    val path: String,
    val target: String,
    val backend: String,
    val precision: String,
    val methods: List<String>,
    val sha256: String,
    val sizeBytes: Long,
    val runtimeName: String,
    val runtimeVersion: String,
    val parity: Parity?,
    val accuracy: Accuracy?,
    val verified: String,
)

/** The artefact against the torch student on the same inputs. */
data class Parity(val cases: Int, val maxAbs: Double, val cosine: Double, val agreement: Double?)

/** On the run's validation windows. */
data class Accuracy(val auc: Double?, val agreement: Double)
