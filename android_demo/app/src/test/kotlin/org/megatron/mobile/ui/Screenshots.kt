package org.megatron.mobile.ui

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.view.View
import android.widget.ScrollView
import org.junit.Test
import org.junit.runner.RunWith
import org.megatron.mobile.R
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.golden.project
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.RuntimeEnvironment
import java.io.File
import javax.imageio.ImageIO

/**
 * Pictures of every screen, whole pages of them, to be looked at: no test, and run by name alone, by
 *
 *     python -m android_demo.assembly screenshots
 *
 * They are written to build/screenshots. The person on them is the golden vectors', a synthetic one.
 */
@RunWith(ParameterizedRobolectricTestRunner::class)
class Screenshots(private val setting: Setting) {
    @Test
    fun take() {
        RuntimeEnvironment.setQualifiers(setting.qualifiers)
        RuntimeEnvironment.setFontScale(setting.fontScale)
        val folder = File(project, "android_demo/build/screenshots").apply { mkdirs() }
        for (scene in scenes) {
            val activity = inScene(scene, ::person)
            write(picture(activity), File(folder, "${scene.name}-$setting.png"))
            activity.finish()
        }
    }

    /** The screen as it first shows, made longer until all of its page fits. */
    private fun picture(activity: Activity): Bitmap {
        val root = activity.window.decorView
        val page = activity.findViewById<ScrollView>(R.id.page)
        val hidden = (page.getChildAt(0).height - page.height).coerceAtLeast(0)
        val height = root.height + hidden
        root.measure(
            View.MeasureSpec.makeMeasureSpec(root.width, View.MeasureSpec.EXACTLY),
            View.MeasureSpec.makeMeasureSpec(height, View.MeasureSpec.EXACTLY),
        )
        root.layout(0, 0, root.measuredWidth, height)
        val bitmap = Bitmap.createBitmap(root.width, height, Bitmap.Config.ARGB_8888)
        root.draw(Canvas(bitmap))
        return bitmap
    }

    private fun write(bitmap: Bitmap, file: File) = file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun settings() = Setting.pairs

        private val frames: List<RgbFrame> by lazy {
            val golden = listOf(System.getProperty("megatron.artifact").orEmpty(), "android_demo/app/src/main/assets", "artifacts/demo")
                .filter(String::isNotEmpty).map { File(project, "").resolve(it).resolve("golden/frames") }
                .firstOrNull(File::isDirectory)
            checkNotNull(golden) { "no golden frames: type `make demo`, or give -Dmegatron.artifact=FOLDER" }
            golden.listFiles { file -> file.name.startsWith("stream_") }!!.sorted().map(::read)
        }

        private fun person(place: Int): Pair<Frame, Box> {
            val frame = frames[place % frames.size]
            val side = 0.5 * frame.width
            return frame to Box((frame.width - side) / 2, (frame.height - side) / 2, side, side)
        }

        private fun read(file: File): RgbFrame {
            val image = ImageIO.read(file)
            val bytes = ByteArray(3 * image.width * image.height)
            for (place in 0 until image.width * image.height) {
                val rgb = image.getRGB(place % image.width, place / image.width)
                for (channel in 0 until 3) bytes[3 * place + channel] = (rgb shr (16 - 8 * channel)).toByte()
            }
            return RgbFrame(image.width, image.height, bytes)
        }
    }
}
