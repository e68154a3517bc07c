package org.megatron.mobile.golden

import org.junit.Assume.assumeTrue
import org.megatron.mobile.detector.ArtifactFiles
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.JsonObject
import org.megatron.mobile.detector.Logits
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.Opening
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.detector.openArtifact
import java.io.File
import java.io.InputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import javax.imageio.ImageIO

/** A folder as the app sees its assets. */
class FolderFiles(private val root: File) : ArtifactFiles {
    override fun open(path: String): InputStream? = File(root, path).takeIf(File::isFile)?.inputStream()

    override fun below(folder: String): List<String> = File(root, folder).let { base ->
        base.walkTopDown().filter(File::isFile).map { it.relativeTo(base).invariantSeparatorsPath }.toList()
    }
}

/** Where the project is, from wherever Maven or Gradle runs the tests. */
val project: File = generateSequence(File("").absoluteFile) { it.parentFile }
    .first { File(it, "android_demo").isDirectory || File(it, "tests/golden").isDirectory }

class FaceCase(val name: String, val frame: String, val box: Box, val tensor: FloatArray, val rgb: FloatArray)

class StreamFrame(val frame: String, val timeMs: Double, val box: Box?)

class StreamWindow(val startMs: Double, val endMs: Double, val coverage: Double, val logits: Logits?, val probability: Double?)

class StreamCase(
    val name: String,
    val frames: List<StreamFrame>,
    val windows: List<StreamWindow>,
    val label: String,
    val probability: Double?,
    val coverage: Double,
)

class WindowCase(
    val name: String,
    val rgb: FloatArray,
    val depth: FloatArray,
    val faceValid: FloatArray,
    val depthValid: FloatArray,
    val logits: Logits,
)

/** An artefact folder with its golden vectors, as `core/golden.py` reads them. */
class GoldenFolder private constructor(val root: File, val manifest: Manifest) {
    private val folder = File(root, manifest.golden!!)
    private val document = JsonObject.read(File(folder, "golden.json").readText())
    private val pictures = HashMap<String, RgbFrame>()

    val faces: List<FaceCase> = document.children("faces").map {
        FaceCase(it.text("name"), it.text("frame"), box(it.child("box")), tensor(it.child("tensor")), tensor(it.child("rgb_embedding")))
    }

    val streams: List<StreamCase> = document.children("streams").map { stream ->
        StreamCase(
            name = stream.text("name"),
            frames = stream.children("frames").map {
                StreamFrame(it.text("frame"), it.number("time_ms"), it.childOrNull("box")?.let(::box))
            },
            windows = stream.children("windows").map {
                StreamWindow(
                    it.number("start_ms"), it.number("end_ms"), it.number("coverage"),
                    it.numbersOrNull("logits")?.let(::logits), it.numberOrNull("fake_probability"),
                )
            },
            label = stream.text("label"),
            probability = stream.numberOrNull("fake_probability"),
            coverage = stream.number("coverage"),
        )
    }

    val windows: List<WindowCase> = document.children("windows").map {
        WindowCase(
            it.text("name"), tensor(it.child("rgb")), tensor(it.child("depth")),
            floats(it.numbers("face_valid")), floats(it.numbers("depth_valid")), logits(it.numbers("logits")),
        )
    }

    /** A picture of the folder; each is decoded once. */
    fun picture(name: String): RgbFrame = pictures.getOrPut(name) { rgbFrame(File(folder, name)) }

    private fun tensor(file: JsonObject): FloatArray {
        val bytes = ByteBuffer.wrap(File(folder, file.text("file")).readBytes()).order(ByteOrder.LITTLE_ENDIAN)
        val values = FloatArray(bytes.remaining() / Float.SIZE_BYTES).also(bytes.asFloatBuffer()::get)
        check(values.size == file.numbers("shape").fold(1) { size, axis -> size * axis.toInt() })
        return values
    }

    private fun box(box: JsonObject) = Box(box.number("x"), box.number("y"), box.number("w"), box.number("h"))

    private fun logits(pair: List<Double>) = Logits(real = pair[0], fake = pair[1])

    private fun floats(values: List<Double>) = FloatArray(values.size) { values[it].toFloat() }

    companion object {
        /** Artefact folders in the order in which they are tried. */
        private val candidates: List<File> = listOfNotNull(
            (System.getProperty("megatron.artifact") ?: "").ifEmpty { System.getenv("MEGATRON_ARTIFACT") }?.let(::File),
            File(project, "android_demo/app/src/main/assets"),
            File(project, "artifacts/demo"),
        )

        /** The first folder that can be opened and whose files [accept]s; the test is skipped where there is none. */
        fun find(what: String = "an artefact", accept: (File, Manifest) -> Boolean = { _, _ -> true }): GoldenFolder {
            val root = candidates.firstNotNullOfOrNull { root ->
                val opened = openArtifact(FolderFiles(root)) as? Opening.Opened
                opened?.takeIf { it.manifest.golden != null && accept(root, it.manifest) }?.let { root to it.manifest }
            }
            val missing = "skipped: $what is missing; type `make demo`, or set megatron.artifact to an exported folder"
            if (root == null) System.err.println(missing)
            assumeTrue(missing, root != null)
            return GoldenFolder(root!!.first, root.second)
        }
    }
}

/** A PNG as the detector takes pictures. */
fun rgbFrame(file: File): RgbFrame {
    val image = ImageIO.read(file)
    val bytes = ByteArray(3 * image.width * image.height)
    var at = 0
    for (y in 0 until image.height) for (x in 0 until image.width) {
        val pixel = image.getRGB(x, y)
        for (shift in intArrayOf(16, 8, 0)) bytes[at++] = (pixel shr shift).toByte()
    }
    return RgbFrame(image.width, image.height, bytes)
}
