"""Grad-CAM: where the network looked

A network says "cat". Because of the cat, or because of the sofa? Grad-CAM (Selvaraju et al., 2017) answers with a picture of
warm and cold places, for any convolutional network and without training anything. It needs two things, both from the last
convolutional layer, for one picture and one class: its C feature maps, the activations A, and the gradient G of that
class's score (its logit) with respect to each of their pixels.

    activations A (N, C, H, W), gradients G (N, C, H, W) -> heat (N, H, W)

    alpha[n, c] = mean over i, j of G[n, c, i, j]          how much channel c speaks for the class
    L[n, i, j]  = relu( sum_c alpha[n, c] A[n, c, i, j] )  what speaks for it, where
    heat[n]     = L[n] / (the largest number of L[n])      so that it can be shown, from 0 to 1

The ReLU comes behind the sum: channels that speak against the class (alpha < 0) must be able to cancel others. Each picture
is normalised by itself; where nothing speaks for the class and L[n] is zero, heat[n] is zero too, not 0/0.

Where do the gradients come from? From backpropagation. But for the most common end of a network you can write them down:
global average pooling, pooled[n, c] = mean over i, j of A[n, c, i, j], and a linear layer, logits = pooled w^T + b with w
(K, C). Ask in which logit, and with what factor, each single pixel A[n, c, i, j] is used. score_gradients returns that
gradient of logit labels[n] for each picture n. (Put it into alpha: this is how the older method, CAM, comes out as a special
case, up to a factor that the last step removes.)
"""
import numpy as np


def score_gradients(A, w, labels):
    """A (N, C, H, W), w (K, C), labels (N) of integers -> G (N, C, H, W), the gradient of logits[n, labels[n]]."""
    ### BEGIN SOLUTION
    N, C, H, W = A.shape
    per_channel = w[labels] / (H * W)
    return np.broadcast_to(per_channel[:, :, None, None], A.shape).copy()
    ### END SOLUTION


def channel_weights(G):
    """G (N, C, H, W) -> alpha (N, C)."""
    ### BEGIN SOLUTION
    return G.mean(axis=(2, 3))
    ### END SOLUTION


def grad_cam(A, G):
    """activations A (N, C, H, W), gradients G (N, C, H, W) -> heat (N, H, W), from 0 to 1."""
    ### BEGIN SOLUTION
    alpha = channel_weights(G)
    L = np.maximum((alpha[:, :, None, None] * A).sum(axis=1), 0)
    largest = L.max(axis=(1, 2), keepdims=True)
    return L / np.where(largest > 0, largest, 1)
    ### END SOLUTION
