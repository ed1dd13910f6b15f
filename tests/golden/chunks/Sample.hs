{-# LANGUAGE LambdaCase #-}
-- | A shop.
module Shop (area) where

import Data.List (sort)

-- | A shape.
data Shape
  = Circle Double
  | Square Double
  deriving (Show)

newtype Name = Name String

type Ints = [Int]

class HasArea a where
  area :: a -> Double
  name :: a -> String
  name _ = "shape"

instance HasArea Shape where
  area (Circle r) = r
  area (Square s) = s * s

-- | Doubles.
double :: Int -> Int
double 0 = 0
double x = helper x
  where
    helper y = y * 2

limit :: Int
limit = 10

(<+>) :: Int -> Int -> Int
a <+> b = a + b
