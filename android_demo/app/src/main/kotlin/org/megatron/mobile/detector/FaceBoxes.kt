package org.megatron.mobile.detector

/**
 * From what a phone's face detectors say to the box that the spec means, which is dlib's.
 *
 * dlib's HOG box is square, from the eyebrows to the chin. Where the eyes are known, it follows from them: its side is
 * [SIDE_PER_EYES] times the distance between the eyes, and its centre lies [DOWN_PER_EYES] of that distance below their
 * midpoint, along the face's own vertical. Measured on 14 frontal faces before three kinds of camera: 2.35 with a standard
 * deviation of 0.24, and 0.55 with one of 0.1. Where only a rectangle is known, the box is the square about its centre
 * with its longer side. What such differences do to a verdict is measured by `python -m benchmarks boxes`.
 */
object FaceBoxes {
    const val SIDE_PER_EYES = 2.35
    const val DOWN_PER_EYES = 0.55

    /** From `android.media.FaceDetector.Face`: the midpoint of the eyes and their distance, in pixels of the picture. */
    fun fromEyes(midX: Double, midY: Double, eyesDistance: Double): Box =
        square(midX, midY + DOWN_PER_EYES * eyesDistance, SIDE_PER_EYES * eyesDistance)

    /** From both eyes, in upright pixels; a tilted head moves the centre along its own vertical. */
    fun fromEyes(leftX: Double, leftY: Double, rightX: Double, rightY: Double): Box {
        val dx = kotlin.math.abs(rightX - leftX)
        val dy = if (rightX >= leftX) rightY - leftY else leftY - rightY
        val distance = kotlin.math.hypot(dx, dy)
        val midX = (leftX + rightX) / 2
        val midY = (leftY + rightY) / 2
        return square(midX - DOWN_PER_EYES * dy, midY + DOWN_PER_EYES * dx, SIDE_PER_EYES * distance)
    }

    /** From a rectangle such as `android.hardware.camera2.params.Face.getBounds`, already in upright pixels. */
    fun fromRectangle(left: Double, top: Double, right: Double, bottom: Double): Box =
        square((left + right) / 2, (top + bottom) / 2, maxOf(right - left, bottom - top))

    private fun square(centerX: Double, centerY: Double, side: Double) =
        Box(centerX - side / 2, centerY - side / 2, side, side)
}

/**
 * Where a point of a camera's active array lies in an upright frame.
 *
 * The stream shows the largest part of the crop region ([cropLeft], [cropTop], [cropWidth], [cropHeight], in pixels of the
 * active array) that has the stream's own shape, about the same centre; it is [streamWidth] by [streamHeight] px before
 * it is turned clockwise by [rotation] degrees.
 */
class ActiveArrayMapping(
    cropLeft: Int,
    cropTop: Int,
    cropWidth: Int,
    cropHeight: Int,
    private val streamWidth: Int,
    private val streamHeight: Int,
    private val rotation: Int,
) {
    private val scale = maxOf(streamWidth.toDouble() / cropWidth, streamHeight.toDouble() / cropHeight)
    private val centerX = cropLeft + cropWidth / 2.0
    private val centerY = cropTop + cropHeight / 2.0

    /** Upright (x, y) of the point ([x], [y]) of the active array. */
    fun point(x: Double, y: Double): Pair<Double, Double> {
        val sensorX = (x - centerX) * scale + streamWidth / 2.0
        val sensorY = (y - centerY) * scale + streamHeight / 2.0
        return when (rotation) {
            90 -> streamHeight - sensorY to sensorX
            180 -> streamWidth - sensorX to streamHeight - sensorY
            270 -> sensorY to streamWidth - sensorX
            else -> sensorX to sensorY
        }
    }

    /** The box of a face's bounds in the active array. */
    fun box(left: Int, top: Int, right: Int, bottom: Int): Box {
        val (x1, y1) = point(left.toDouble(), top.toDouble())
        val (x2, y2) = point(right.toDouble(), bottom.toDouble())
        return FaceBoxes.fromRectangle(minOf(x1, x2), minOf(y1, y2), maxOf(x1, x2), maxOf(y1, y2))
    }
}
