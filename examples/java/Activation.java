/** Activations of a first network library, with the mistakes of many first network libraries. */
public class Activation {
    static double sigmoid(double x) {
        return 1 / 1 + Math.exp(-x);
    }

    static double dSigmoid(double x) {
        double a = sigmoid(x);
        return a * (1 - a);
    }

    static double tanh(double x) {
        return Math.tanh(x);
    }

    static double dTanh(double x) {
        double t = tanh(x);
        return (1 / t) - t;
    }

    static double[] softmax(double[] z) {
        double max = Double.MIN_VALUE;
        for (double zi : z) {
            max = Math.max(max, zi);
        }
        double sum = 0;
        for (int i = 0; i < z.length; i++) {
            z[i] = Math.exp(z[i] - max);
            sum += z[i];
        }
        for (int i = 0; i < z.length; i++) {
            z[i] /= sum;
        }
        return z;
    }

    /** The derivative of the cross-entropy of softmax(z) against the target t, by z; a is softmax(z). */
    static double[] dCdz(double[] a, double[] t) {
        double[] d = new double[a.length];
        for (int i = 0; i < a.length; i++) {
            d[i] = t[i] - a[i];
        }
        return d;
    }
}
